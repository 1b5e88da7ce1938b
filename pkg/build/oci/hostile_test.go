package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"slipway/pkg/build/tree"
	"slipway/test/testimage"
)

// headers makes a tar of nothing but headers, which may lie about sizes.
func headers(t *testing.T, list ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, h := range list {
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

func gzipped(t *testing.T, data io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.Copy(z, data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zstdWindow is a frame that asks for a window of 2 GB before its first byte.
func zstdWindow() []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3}
	block := binary.LittleEndian.AppendUint32(nil, 1|1<<1|1000<<3) // last, RLE, 1000 bytes
	return append(append(frame, block[:3]...), 0)
}

// storeLayers puts an image of raw layer blobs into a layout; what they unpack
// to is said to be diff.
func storeLayers(t *testing.T, diff v1.Hash, blobs ...[]byte) *Layout {
	t.Helper()
	var layers []mutate.Addendum
	for _, b := range blobs {
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(b, types.OCILayer)})
	}
	img, err := mutate.Append(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	img = testimage.For(t, img, "amd64", func(config *v1.ConfigFile) {
		if diff.Hex != "" {
			config.RootFS.DiffIDs[len(blobs)-1] = diff
		}
	})
	store := OpenLayout(t.TempDir(), true)
	if err := store.Put("some/app:1", img, nil); err != nil {
		t.Fatal(err)
	}
	return store
}

// TestHostileLayers names the image and the layer of what cannot be taken, and
// needs little memory to find out.
func TestHostileLayers(t *testing.T) {
	regular := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
	bomb := gzipped(t, io.LimitReader(zeros{}, 16<<20))
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		layer []byte
		want  string
	}{
		"leads out":     {headers(t, regular("../evil")), `"../evil"`},
		"newline":       {headers(t, regular("../a\nb")), `"../a\nb"`},
		"hard link out": {headers(t, tar.Header{Name: "a", Linkname: "../../etc/passwd", Typeflag: tar.TypeLink}), "hard link"},
		"huge size":     {headers(t, tar.Header{Name: "a", Size: 1 << 60, Typeflag: tar.TypeReg}, regular("b")), "unexpected EOF"},
		"unknown type":  {headers(t, tar.Header{Name: "a", Typeflag: 'Z'}), "unknown type"},
		"gzip bomb":     {bomb, "unpacks to more than the 3 MB"},
		"zstd bomb":     {z.EncodeAll(make([]byte, 16<<20), nil), "unpacks to more than the 3 MB"},
		"zstd window":   {zstdWindow(), "unpack"},
		"cut gzip":      {bomb[:1000], "unpack"},
		"no tar":        {[]byte(strings.Repeat("text ", 300)), `neither a tar nor gzip nor zstd: it begins with "text text`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := storeLayers(t, v1.Hash{}, headers(t, regular("first")), c.layer)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			img, err := store.Get("some/app:1", amd64)
			if err != nil {
				t.Fatal(err)
			}
			_, err = img.Tree(context.Background(), tree.Limits{Bytes: 4 << 20, Entries: 1000})
			runtime.ReadMemStats(&after)
			if err := img.Close(); err != nil {
				t.Error(err)
			}
			where := "image docker.io/some/app:1: layer 2 (sha256:"
			if err == nil || !strings.HasPrefix(err.Error(), where) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("a name breaks the line: %v", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 12<<20 {
				t.Errorf("allocated %d MB", took>>20)
			}
		})
	}
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestLimitsOfAnImage counts all layers together.
func TestLimitsOfAnImage(t *testing.T) {
	layer := gzipped(t, bytes.NewReader(tarOf(t, map[string]string{"f": strings.Repeat("x", 1<<20)})))
	plain := hashOf(tarOf(t, map[string]string{"f": strings.Repeat("x", 1<<20)}))
	store := storeLayers(t, plain, layer)
	if err := use(&Finder{Store: store}, "some/app:1"); err != nil {
		t.Fatal(err)
	}
	many := &Image{Name: "some/app:1", Manifest: &v1.Manifest{Layers: make([]v1.Descriptor, maxLayers+1)}}
	_, err := many.Tree(context.Background(), tree.DefaultLimits)
	if err == nil || !strings.Contains(err.Error(), "513 layers") {
		t.Errorf("got %v", err)
	}
	img, err := storeLayers(t, v1.Hash{}, make([]byte, 1<<20), make([]byte, 1<<20)).Get("some/app:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	_, err = img.Tree(context.Background(), tree.Limits{Bytes: 3 << 19, Entries: 10})
	if err = errors.Join(err, img.Close()); err == nil || !strings.Contains(err.Error(), "layer 2") {
		t.Errorf("two layers that are too large together: got %v", err)
	}
}
