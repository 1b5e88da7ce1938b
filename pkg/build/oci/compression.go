package oci

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpacker reads what is compressed.
type unpacker func(io.Reader) (io.Reader, error)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// compression tells from the content how a layer is compressed, whatever its
// media type says; nil if it is a plain tar. What is neither is an error that says
// what it is.
func compression(r io.ReaderAt, size int64) (unpacker, error) {
	head := make([]byte, tarBlock)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	if isSkippable(head) {
		if head, err = behindSkippable(r, size); err != nil || len(head) == 0 {
			return unzstd, err
		}
		if !bytes.HasPrefix(head, zstdMagic) {
			return nil, fmt.Errorf("neither a tar nor gzip nor zstd: %s", guess(head))
		}
	}
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return gunzip, nil
	case bytes.HasPrefix(head, zstdMagic):
		return unzstd, nil
	case isTar(head):
		return nil, nil
	}
	return nil, fmt.Errorf("neither a tar nor gzip nor zstd: %s", guess(head))
}

func unzstd(r io.Reader) (io.Reader, error) {
	// One frame must not ask for more memory than images use.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
}

// isSkippable tells whether a frame is one that decompressors pass over (RFC 8878,
// 3.1.2). pzstd begins with one and puts them between the others; zstd:chunked
// ends with them.
func isSkippable(head []byte) bool {
	return len(head) >= 8 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// maxSkippable is how many frames are passed over in search of one with content.
const maxSkippable = 1 << 16

// behindSkippable gives the beginning of the first frame that is to be unpacked;
// nothing if there is none.
func behindSkippable(r io.ReaderAt, size int64) ([]byte, error) {
	head := make([]byte, tarBlock)
	at := int64(0)
	for range maxSkippable {
		n, err := r.ReadAt(head, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if !isSkippable(head[:n]) {
			return head[:n], nil
		}
		if at += 8 + int64(binary.LittleEndian.Uint32(head[4:])); at > size {
			return nil, fmt.Errorf("unpack: a frame to skip ends at byte %d of %d", at, size)
		}
	}
	return nil, fmt.Errorf("unpack: more than %d frames to skip", maxSkippable)
}

// gunzip reads one gzip member after the other. What follows them and is none is
// padding, as for gzip(1); the digest of the content tells whether it is all.
func gunzip(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{in, z}, nil
}

type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		next, err := m.in.Peek(len(gzipMagic))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if !bytes.Equal(next, gzipMagic) {
			return 0, io.EOF
		}
		if err := m.z.Reset(m.in); err != nil {
			return 0, err
		}
		m.z.Multistream(false)
	}
}

const tarBlock = 512

// isTar tells whether a block is a tar's header, by its sum, or the end of an
// empty one. Nothing at all is an empty tar, too.
func isTar(block []byte) bool {
	if len(block) < tarBlock {
		return len(block) == 0
	}
	const from, to = 148, 156 // of the sum itself, which counts as spaces
	var unsigned, signed int64
	for i, b := range block {
		if i >= from && i < to {
			b = ' '
		}
		unsigned, signed = unsigned+int64(b), signed+int64(int8(b))
	}
	if unsigned == (to-from)*' ' {
		return true
	}
	sum, err := strconv.ParseInt(strings.Trim(string(block[from:to]), " \x00"), 8, 64)
	return err == nil && (sum == unsigned || sum == signed)
}

// guess says what a content is that is no layer.
func guess(head []byte) string {
	for _, known := range []struct{ magic, what string }{
		{"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"}, {"\x04\x22\x4d\x18", "lz4"}, {"\x02\x21\x4c\x18", "lz4"},
		{"LZIP", "lzip"}, {"\x89LZO", "lzop"}, {"]\x00\x00", "lzma"}, {"PK\x03\x04", "a zip archive"}, {"7z\xbc\xaf", "a 7z archive"},
		{"hsqs", "a squashfs"}, {"07070", "a cpio archive"}, {"!<arch>", "an ar archive"}, {"\x7fELF", "a program"},
		{"{", "JSON"}, {"<", "a page of HTML or XML"},
	} {
		if bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte(known.magic)) {
			return known.what
		}
	}
	return fmt.Sprintf("it begins with %q", head[:min(len(head), 16)])
}
