package build

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxKernel bounds a kernel, packed and unpacked.
const maxKernel = 512 << 20

// Fields of the x86 boot protocol's header (Documentation/arch/x86/boot.rst).
const (
	setupSectors  = 0x1f1
	bootMagic     = 0x202 // "HdrS"
	bootVersion   = 0x206
	payloadOffset = 0x248
	payloadLength = 0x24c
	sectorBytes   = 512
)

// decompressKernel gives the kernel without its own compression: the vmlinux in
// a bzImage, or what is in a gzip file, as arm64 has it. Hypervisors that do not
// run a kernel's own boot code want it so.
func decompressKernel(kernel []byte) ([]byte, error) {
	if bytes.HasPrefix(kernel, []byte{0x1f, 0x8b}) {
		return unpackKernel(kernel)
	}
	if len(kernel) < payloadLength+4 || string(kernel[bootMagic:bootMagic+4]) != "HdrS" {
		return nil, errors.New("neither a bzImage nor a gzip file")
	}
	if v := binary.LittleEndian.Uint16(kernel[bootVersion:]); v < 0x208 {
		return nil, fmt.Errorf("a bzImage of boot protocol %d.%02d, which does not say where its payload is", v>>8, v&0xff)
	}
	sectors := int64(kernel[setupSectors])
	if sectors == 0 {
		sectors = 4 // what the oldest loaders mean by 0
	}
	from := (sectors+1)*sectorBytes + int64(binary.LittleEndian.Uint32(kernel[payloadOffset:]))
	to := from + int64(binary.LittleEndian.Uint32(kernel[payloadLength:]))
	if to > int64(len(kernel)) {
		return nil, fmt.Errorf("the payload ends at byte %d of %d", to, len(kernel))
	}
	return unpackKernel(kernel[from:to])
}

// unpackKernel knows the compressions of Linux' build. Behind all but gzip the
// build appends the unpacked size, in four bytes.
func unpackKernel(data []byte) ([]byte, error) {
	var r io.Reader
	var err error
	body := bytes.NewReader(data[:max(0, len(data)-4)])
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			z.Multistream(false) // what follows is padding
		}
		r = z
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxKernel))
	case bytes.HasPrefix(data, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		r, err = xz.NewReader(body)
	case bytes.HasPrefix(data, []byte{0x02, 0x21, 0x4c, 0x18}):
		r = lz4.NewReader(body) // the legacy frame
	default:
		return nil, fmt.Errorf("a payload that begins with % x; gzip, zstd, xz and lz4 are known", data[:min(4, len(data))])
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxKernel+1))
	if err == nil && len(out) > maxKernel {
		err = fmt.Errorf("unpacks to more than %d MB", maxKernel>>20)
	}
	return out, err
}
