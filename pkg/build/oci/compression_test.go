package oci

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"slipway/pkg/build/tree"
	"slipway/test/skip"
)

// packed compresses in a way of the test's own.
func packed(t *testing.T, data []byte, writer func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := writer(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t *testing.T, data []byte) []byte {
	return packed(t, data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
}

func gzipOf(t *testing.T, data []byte) []byte {
	return packed(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

// skippable is a frame of zstd and lz4 that holds no content.
func skippable(n byte, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{0x50 + n, 0x2a, 0x4d, 0x18}, uint32(len(data))), data...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestLayerCompressions reads layers by what they are; the media type of all of
// them says gzip.
func TestLayerCompressions(t *testing.T) {
	layer := tarOf(t, map[string]string{"f": strings.Repeat("text ", 3000)})
	half := len(layer) / 2
	z, g := zstdOf(t, layer), gzipOf(t, layer)
	for name, blob := range map[string][]byte{
		"plain":                          layer,
		"gzip":                           g,
		"gzip, two members":              join(gzipOf(t, layer[:half]), gzipOf(t, layer[half:])),
		"gzip, an empty member first":    join(gzipOf(t, nil), g),
		"gzip, an empty member last":     join(g, gzipOf(t, nil)), // as eStargz
		"gzip, padded with zeros":        join(g, make([]byte, 700)),
		"gzip, garbage behind":           join(g, []byte("garbage")),
		"gzip, one byte behind":          join(g, []byte{0x1f}),
		"zstd":                           z,
		"zstd, two frames":               join(zstdOf(t, layer[:half]), zstdOf(t, layer[half:])),
		"zstd, a frame to skip first":    join(skippable(0, []byte("hello")), z),
		"zstd, an empty frame to skip":   join(skippable(15, nil), z),
		"zstd, many frames to skip":      join(bytes.Repeat(skippable(3, []byte{1, 2, 3}), 1000), z),
		"zstd, a frame to skip inside":   join(zstdOf(t, layer[:half]), skippable(7, make([]byte, 300)), zstdOf(t, layer[half:])),
		"zstd, a frame to skip last":     join(z, skippable(2, make([]byte, 64))), // as zstd:chunked
		"zstd, as pzstd writes its head": join(skippable(0, binary.LittleEndian.AppendUint32(nil, uint32(len(z)))), z),
	} {
		t.Run(name, func(t *testing.T) {
			for _, own := range []bool{true, false} {
				store := storeLayers(t, hashOf(layer), blob)
				img, err := OpenLayout(store.Dir(), own).Get("some/app:1", amd64)
				if err != nil {
					t.Fatal(err)
				}
				if got := textIn(t, img, "f"); got != strings.Repeat("text ", 3000) {
					t.Errorf("got %d bytes", len(got))
				}
			}
		})
	}
}

// TestPzstd reads what pzstd itself writes.
func TestPzstd(t *testing.T) {
	program, err := exec.LookPath("pzstd")
	if err != nil {
		skip.Test(t, skip.Program, "pzstd (zstd)")
	}
	layer := tarOf(t, map[string]string{"f": strings.Repeat("text ", 1<<20)})
	cmd := exec.Command(program, "-c", "-p", "2", "-")
	cmd.Stdin = bytes.NewReader(layer)
	blob, err := cmd.Output()
	if err != nil || !isSkippable(blob) {
		t.Fatalf("pzstd gives %.8x, %v", blob, err)
	}
	img, err := storeLayers(t, hashOf(layer), blob).Get("some/app:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(textIn(t, img, "f")); got != 5<<20 {
		t.Errorf("got %d bytes", got)
	}
}

// TestEmptyLayers have no byte, or no file.
func TestEmptyLayers(t *testing.T) {
	for name, blob := range map[string][]byte{
		"no byte": {}, "end of a tar": make([]byte, 1024), "gzip of nothing": gzipOf(t, nil),
		"frames to skip alone": skippable(0, []byte("x")), "zstd of nothing": zstdOf(t, nil),
	} {
		content := blob
		if unpack, err := compression(bytes.NewReader(blob), int64(len(blob))); err != nil {
			t.Fatal(err)
		} else if unpack != nil {
			content = nil
		}
		img, err := storeLayers(t, hashOf(content), tarOf(t, map[string]string{"f": "x"}), blob).Get("some/app:1", amd64)
		if err != nil {
			t.Fatal(err)
		}
		if got := textIn(t, img, "f"); got != "x" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestNoLayers names what is no layer.
func TestNoLayers(t *testing.T) {
	layer := tarOf(t, map[string]string{"f": "x"})
	xzWriter := func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }
	lz4Writer := func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil }
	for name, c := range map[string]struct {
		blob []byte
		want string
	}{
		"xz":                          {packed(t, layer, xzWriter), "neither a tar nor gzip nor zstd: xz"},
		"bzip2":                       {[]byte("BZh91AY&SY......"), "bzip2"},
		"lz4":                         {packed(t, layer, lz4Writer), "lz4"},
		"lz4 behind a frame to skip":  {join(skippable(0, nil), packed(t, layer, lz4Writer)), "lz4"},
		"an error page":               {[]byte("\n<!DOCTYPE html><html>404</html>"), "a page of HTML or XML"},
		"a registry's error":          {[]byte(`{"errors":[{"code":"DENIED"}]}`), "JSON"},
		"a zip archive":               {[]byte("PK\x03\x04" + strings.Repeat("x", 600)), "a zip archive"},
		"a squashfs":                  {append([]byte("hsqs"), make([]byte, 2048)...), "a squashfs"},
		"text":                        {[]byte("hello"), `it begins with "hello"`},
		"zeros that are no block":     {make([]byte, 511), "it begins with"},
		"a tar with a wrong sum":      {append([]byte("g"), layer[1:]...), "it begins with"},
		"a frame to skip that is cut": {[]byte("\x50\x2a\x4d\x18\xff\xff\xff\x7fxx"), "a frame to skip ends at byte 2147483655"},
		"frames to skip without end":  {bytes.Repeat(skippable(0, nil), maxSkippable+1), "more than 65536 frames to skip"},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := storeLayers(t, hashOf(layer), c.blob).Get("some/app:1", amd64)
			if err != nil {
				t.Fatal(err)
			}
			_, err = img.Tree(t.Context(), tree.DefaultLimits)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "layer 1 (sha256:") || !strings.Contains(err.Error(), "tar+gzip") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err := img.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPaddingIsNoContent wants what follows the members of a gzip to be no way
// around the digest.
func TestPaddingIsNoContent(t *testing.T) {
	layer := tarOf(t, map[string]string{"f": "x"})
	img, err := storeLayers(t, hashOf(layer), join(gzipOf(t, layer[:512]), []byte("x"), gzipOf(t, layer[512:]))).Get("some/app:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := img.Tree(t.Context(), tree.DefaultLimits); err == nil || !strings.Contains(err.Error(), "unpacked it has the digest") {
		t.Errorf("got %v", err)
	}
	if err := img.Close(); err != nil {
		t.Error(err)
	}
}
