package oci

import (
	"archive/tar"
	"bytes"
	"context"
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
	layer := tarBytes(f, map[string]string{"f": "x"})
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + hashOf(layer).String() + `"]}}`
	manifest := `{"schemaVersion":2,"config":{"digest":"` + hashOf([]byte(config)).String() + `"},"layers":[{"digest":"` + hashOf(layer).String() + `"}]}`
	index := `{"schemaVersion":2,"manifests":[{"digest":"` + hashOf([]byte(manifest)).String() + `"}]}`
	blob := func(text string) string { return "./blobs/sha256/" + hashOf([]byte(text)).Hex }
	add(map[string]string{
		"./index.json": `{"manifests":[{"digest":"` + hashOf([]byte(index)).String() + `","annotations":{"org.opencontainers.image.ref.name":"latest"}}]}`,
		blob(index):    index, blob(manifest): manifest, blob(config): config, blob(string(layer)): string(layer),
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
		names := []string{"named"}
		for _, item := range items {
			names = append(names, item.Name, "pinned@"+item.Digest.String())
		}
		for _, name := range names {
			img, err := namedSource{source.(located), FullName("named")}.Get(name, amd64)
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
