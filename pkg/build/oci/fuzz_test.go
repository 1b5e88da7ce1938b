package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"slipway/pkg/build/tree"
)

// FuzzArchive opens tars that claim to hold images, and reads what they list.
func FuzzArchive(f *testing.F) {
	add := func(files map[string]string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for name, text := range files {
			if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
				f.Fatal(err)
			}
			if _, err := io.WriteString(w, text); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add(map[string]string{"manifest.json": `[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]`, "c": `{"rootfs":{"diff_ids":["sha256:00"]}}`, "l": ""})
	add(map[string]string{"index.json": `{"manifests":[{"digest":"sha256:00","annotations":{"org.opencontainers.image.ref.name":"a"}}]}`})
	// A sound one, whose layer is read.
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	add(map[string]string{
		"manifest.json": `[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]`, "l": layer.String(),
		"c": fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(layer.Bytes())),
	})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(dir, "fuzz.tar")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := OpenSource(name)
		if err != nil {
			return
		}
		items, err := source.List()
		if err != nil {
			return
		}
		for _, item := range items {
			img, err := source.Get(item.Name, amd64)
			if err != nil {
				continue
			}
			if _, err := img.Tree(context.Background(), tree.Limits{Bytes: 1 << 20, Entries: 100}); err == nil && img.Config == nil {
				t.Error("an image without a configuration")
			}
			if err := img.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
