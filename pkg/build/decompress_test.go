package build

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// bzImage wraps a payload as Linux' build does.
func bzImage(payload []byte) []byte {
	const sectors, offset = 3, 0x40
	kernel := make([]byte, (sectors+1)*512+offset, (sectors+1)*512+offset+len(payload)+100)
	kernel[setupSectors] = sectors
	copy(kernel[bootMagic:], "HdrS")
	binary.LittleEndian.PutUint16(kernel[bootVersion:], 0x20f)
	binary.LittleEndian.PutUint32(kernel[payloadOffset:], offset)
	binary.LittleEndian.PutUint32(kernel[payloadLength:], uint32(len(payload)))
	return append(append(kernel, payload...), make([]byte, 100)...)
}

func pack(t *testing.T, open func(io.Writer) (io.WriteCloser, error), text string, appended int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), make([]byte, appended)...)
}

func TestDecompressKernel(t *testing.T) {
	text := strings.Repeat("vmlinux ", 100_000)
	pig := pack(t, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }, text, 0)
	kernels := map[string][]byte{
		"a gzip file": append(pig[:len(pig):len(pig)], 0, 0),
		"gzip":        bzImage(pig),
		"zstd":        bzImage(pack(t, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }, text, 4)),
		"xz":          bzImage(pack(t, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }, text, 4)),
		"lz4": bzImage(pack(t, func(w io.Writer) (io.WriteCloser, error) {
			z := lz4.NewWriter(w)
			return z, z.Apply(lz4.LegacyOption(true))
		}, text, 4)),
	}
	for name, kernel := range kernels {
		got, err := decompressKernel(kernel)
		if err != nil || string(got) != text {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(text), err)
		}
	}
	old := bzImage(pig)
	binary.LittleEndian.PutUint16(old[bootVersion:], 0x207)
	for want, kernel := range map[string][]byte{
		"neither a bzImage": []byte("vmlinuz"), "protocol 2.07": old, "a payload that begins": bzImage([]byte("strange")),
		"the payload ends": bzImage(pig)[:2200], "EOF": bzImage(pig[:len(pig)/2]),
	} {
		if _, err := decompressKernel(kernel); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestDecompressedKernelInTree builds with one kernel that can be unpacked and
// one that cannot.
func TestDecompressedKernelInTree(t *testing.T) {
	store := fixtures(t)
	kernel := pack(t, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }, "vmlinux", 0)
	put(t, store, "test/packed:1", v1.Config{}, archive(t, "kernel="+string(kernel)))
	b := &Builder{Finder: only{store}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, DecompressKernel: true}
	m, err := b.BuildFiles(t.Context(), []string{"-"}, strings.NewReader("kernel: {image: \"test/packed:1\", tar: none}\ninit: [\"test/init:1\"]"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(m.Root.Lookup(KernelFile).Inode.Open())
	if err != nil || string(data) != "vmlinux" {
		t.Errorf("got %q, %v", data, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	_, err = b.BuildFiles(t.Context(), []string{"-"}, strings.NewReader("kernel: {image: \"test/kernel:1\"}\ninit: [\"test/init:1\"]"))
	if err == nil || !strings.Contains(err.Error(), "decompress kernel of test/kernel:1: neither") {
		t.Errorf("got %v", err)
	}
}
