package images

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/pkg/build/oci"
)

func TestList(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	outcomes(t, root, store)
	write(t, root, map[string]string{"images/low/text": "changed"})
	if err := os.RemoveAll(filepath.Join(root, "cmd")); err != nil {
		t.Fatal(err)
	}
	b, _ := open(t, root, store)
	list, err := b.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprintf("%s %s %v", s.Name, s.State, s.Size > 0))
	}
	want := []string{"slipway/extra:v0.1 missing false", "slipway/high:v0.1 broken true", "slipway/low:v0.1 outdated true"}
	if !slices.Equal(got, want) {
		t.Errorf("list %q, want %q", got, want)
	}
	if !strings.Contains(list[1].Fault, "there is no ") {
		t.Errorf("fault %q", list[1].Fault)
	}
	blobs, err := filepath.Glob(filepath.Join(store, "blobs/sha256/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if data, err := os.ReadFile(blob); err != nil || !strings.Contains(string(data), `"rootfs"`) {
			continue
		}
		if err := os.Truncate(blob, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.List(context.Background()); err == nil || !strings.Contains(err.Error(), "slipway/high:v0.1 from the store") {
		t.Errorf("damaged configurations: %v", err)
	}
}

// Outside of the repository there is what the store has.
func TestWithoutRecipes(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	outcomes(t, root, store)
	b, _ := open(t, "", store)
	list, err := b.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprintf("%s %s %v", s.Name, s.State, s.About != "" && s.Size > 0))
	}
	if want := []string{"slipway/high:v0.1 built true", "slipway/low:v0.1 built true"}; !slices.Equal(got, want) {
		t.Errorf("list %q, want %q", got, want)
	}
	if err := b.Export(context.Background(), filepath.Join(t.TempDir(), "out.tar"), []string{"low"}); err != nil {
		t.Error(err)
	}
}

func TestExport(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	b, _ := open(t, root, store)
	dir := t.TempDir()
	file := filepath.Join(dir, "out.tar")
	if err := b.Export(context.Background(), file, nil); err == nil || !strings.Contains(err.Error(), "slipway images build") {
		t.Errorf("empty store: %v", err)
	}
	outcomes(t, root, store)
	if err := b.Export(context.Background(), file, []string{"extra"}); err == nil || !strings.Contains(err.Error(), "extra is not in the store") {
		t.Errorf("missing image: %v", err)
	}
	if err := b.Export(context.Background(), file, nil); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the tar: %v, %v", left, err)
	}
	checkExport(t, file, "docker.io/slipway/high:v0.1", "docker.io/slipway/low:v0.1")
	if err := b.Export(context.Background(), file, []string{"low"}); err != nil {
		t.Fatal(err)
	}
	checkExport(t, file, "docker.io/slipway/low:v0.1")
	for name, target := range map[string]string{"nothing": os.DevNull, "later": "later.tar"} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if err := b.Export(context.Background(), link, []string{"low"}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(link); got != target || err != nil {
			t.Errorf("%s: not a link to %s any more: %q, %v", name, target, got, err)
		}
	}
	checkExport(t, filepath.Join(dir, "later.tar"), "docker.io/slipway/low:v0.1")
}

// checkExport checks what `linuxkit cache import` relies on: names of members
// without "./", every blob there, and the annotation with the image's name.
func checkExport(t *testing.T, file string, want ...string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	members := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if members[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if h.Name != "oci-layout" && h.Name != "index.json" && !strings.HasPrefix(h.Name, "blobs/sha256/") {
			t.Errorf("member %q", h.Name)
		}
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(members["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range index.Manifests {
		names = append(names, d.Annotations["io.containerd.image.name"])
		if members["blobs/sha256/"+d.Digest.Hex] == nil {
			t.Errorf("no manifest %s", d.Digest)
		}
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("images %q, want %q", names, want)
	}
}

// TestImpostor has an image of a registry in the store, under the name of one of
// ours: it is none, and no base for another.
func TestImpostor(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	layout := oci.OpenLayout(store, true)
	foreign, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: "impostor"})
	if err != nil {
		t.Fatal(err)
	}
	if err := layout.Put(FullName("low"), foreign, map[string]string{oci.FetchedAnnotation: "registry.example"}); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{root, ""} {
		b, _ := open(t, root, store)
		if err := b.Export(t.Context(), filepath.Join(t.TempDir(), "out.tar"), nil); err == nil || !strings.Contains(err.Error(), "the store holds none") {
			t.Errorf("with the repository %q the impostor is exported: %v", root, err)
		}
	}
	b, _ := open(t, root, store)
	if err := b.Build(t.Context(), []string{"high"}, 1); err != nil {
		t.Fatal(err)
	}
	d, err := b.store.entry("high")
	if err != nil {
		t.Fatal(err)
	}
	img, err := b.store.image(d)
	if err != nil {
		t.Fatal(err)
	}
	if conf, err := img.ConfigFile(); err != nil || conf.Author != "" || len(conf.RootFS.DiffIDs) != 2 {
		t.Errorf("the base is the impostor: %+v, %v", conf, err)
	}
}

// TestPushOfTheOutdated pushes nothing that its recipe would make otherwise now.
func TestPushOfTheOutdated(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer s.Close()
	to, err := oci.ParsePushTarget(strings.TrimPrefix(s.URL, "http://")+"/team", Tag)
	if err != nil {
		t.Fatal(err)
	}
	build := func(arch string, names ...string) {
		b, _ := open(t, root, store)
		b.Arch = arch
		if err := b.Open(); err != nil {
			t.Fatal(err)
		}
		if err := b.Build(t.Context(), names, 1); err != nil {
			t.Fatal(err)
		}
	}
	push := func(names ...string) (string, error) {
		b, _ := open(t, root, store)
		var pushed []string
		err := b.Push(t.Context(), &oci.Registry{}, to, names, func(name string) { pushed = append(pushed, path.Base(name[:strings.Index(name, ":v0.1@")])) })
		return strings.Join(pushed, " "), err
	}
	build("amd64")
	build("arm64")
	if got, err := push(); got != "high low" || err != nil {
		t.Fatalf("pushed %q, %v", got, err)
	}
	for _, c := range []struct{ change, text, pushes, want string }{
		{"images/low/text", "another\n", "high", "run `slipway images build --platform linux/amd64 low` and `slipway images build --platform linux/arm64 low`"},
		{"pkg/word/word.go", "package word\n\nconst Word = \"bye\"\n", "low", "run `slipway images build --platform linux/amd64 high` and "},
	} {
		old, err := os.ReadFile(filepath.Join(root, c.change))
		if err != nil {
			t.Fatal(err)
		}
		write(t, root, map[string]string{c.change: c.text})
		if got, err := push(); got != "" || err == nil || !strings.Contains(err.Error(), "are what their recipes make now: "+c.want) {
			t.Errorf("%s: pushed %q, %v", c.change, got, err)
		}
		if got, err := push(c.pushes); got != c.pushes || err != nil {
			t.Errorf("%s: pushed %q, %v", c.change, got, err)
		}
		write(t, root, map[string]string{c.change: string(old)})
	}
	write(t, root, map[string]string{"images/low/text": "another\n"})
	build("amd64", "low")
	if _, err := push("low"); err == nil || !strings.Contains(err.Error(), "run `slipway images build --platform linux/arm64 low`") || strings.Contains(err.Error(), "amd64") {
		t.Errorf("built for one: %v", err)
	}
}
