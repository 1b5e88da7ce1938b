package output

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// unpackers know what the kernel knows, by the first bytes.
var unpackers = map[string]struct {
	magic  string
	unpack func(io.Reader) (io.Reader, error)
}{
	"gzip": {"\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	"zstd": {"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
	"lz4":  {"\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
	"none": {"070701", func(r io.Reader) (io.Reader, error) { return r, nil }},
}

func TestPlainCompressions(t *testing.T) {
	plain := read(t, build(t, "kernel+initrd", Options{Initrd: "cpio", Compression: "none"}), "m-initrd.img")
	for name, u := range unpackers {
		packed := read(t, build(t, "kernel+initrd", Options{Initrd: "cpio", Compression: name}), "m-initrd.img")
		if !strings.HasPrefix(string(packed), u.magic) {
			t.Errorf("%s begins with % x", name, packed[:6])
			continue
		}
		r, err := u.unpack(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s unpacks to %d bytes, want %d; %v", name, len(got), len(plain), err)
		}
	}
	for _, name := range []string{"xz", "lz4hc"} {
		to := &Target{Dir: t.TempDir(), Name: "m"}
		err := Write(context.Background(), "kernel+initrd", demo(t), to, Options{Initrd: "cpio", Compression: name})
		if err == nil || !strings.Contains(err.Error(), "a cpio initrd takes zstd, lz4, gzip or none") {
			t.Errorf("%s: %v", name, err)
		}
		if err := to.Discard(); err != nil {
			t.Error(err)
		}
	}
}
