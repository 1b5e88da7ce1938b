package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"slipway/pkg/build/tree"
	"slipway/test/testimage"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	return tarBytes(t, files)
}

func tarBytes(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// imageWith is an image with one layer that holds one file.
func imageWith(t *testing.T, arch, file, text string) v1.Image {
	t.Helper()
	return testimage.Of(t, arch, v1.Config{}, tarOf(t, map[string]string{file: text}))
}

// textIn reads a file of an image.
func textIn(t *testing.T, img *Image, file string) string {
	t.Helper()
	tr, err := img.Tree(context.Background(), tree.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	n := tr.Resolve(file)
	if n == nil || n.Inode == nil {
		t.Fatalf("no file %s", file)
	}
	text, err := io.ReadAll(n.Inode.Open())
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Close(); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFullName(t *testing.T) {
	for in, want := range map[string]string{
		"alpine":                      "docker.io/library/alpine:latest",
		"alpine:3.20":                 "docker.io/library/alpine:3.20",
		"linuxkit/init:abc":           "docker.io/linuxkit/init:abc",
		"localhost/x:1":               "localhost/x:1",
		"localhost:5000/x":            "localhost:5000/x:latest",
		"ghcr.io/a/b:1":               "ghcr.io/a/b:1",
		"a.example/b":                 "a.example/b:latest",
		"x@sha256:" + fmt.Sprint(1):   "docker.io/library/x@sha256:1",
		"docker.io/slipway/init:v0.1": "docker.io/slipway/init:v0.1",
	} {
		if got := FullName(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestStorePutGet(t *testing.T) {
	store := OpenLayout(t.TempDir(), true)
	if _, err := store.Get("a/b:1", amd64); !errors.Is(err, ErrNotFound) {
		t.Fatalf("an empty store: got %v", err)
	}
	for arch, text := range map[string]string{"amd64": "for amd64", "arm64": "for arm64"} {
		if err := store.Put("a/b:1", imageWith(t, arch, "f", text), map[string]string{"k": "v"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put("a/b:1", imageWith(t, "amd64", "f", "newer"), nil); err != nil {
		t.Fatal(err)
	}
	items, err := store.List()
	if err != nil || len(items) != 2 {
		t.Fatalf("got %v, %v, want one image for each platform", items, err)
	}
	for arch, want := range map[string]string{"amd64": "newer", "arm64": "for arm64"} {
		img, err := store.Get("docker.io/a/b:1", v1.Platform{OS: "linux", Architecture: arch})
		if err != nil {
			t.Fatal(err)
		}
		if got := textIn(t, img, "f"); got != want {
			t.Errorf("%s: got %q, want %q", arch, got, want)
		}
	}
	_, err = store.Get("a/b:1", v1.Platform{OS: "linux", Architecture: "riscv64"})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("got %v", err)
	}
}

// TestStoreTakesManyWriters puts images side by side; none may be lost.
func TestStoreTakesManyWriters(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 12 {
		img := imageWith(t, "amd64", "f", fmt.Sprint(i))
		group.Go(func() {
			if err := OpenLayout(dir, true).Put(fmt.Sprintf("x/%d:1", i), img, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	items, err := OpenLayout(dir, true).List()
	if err != nil || len(items) != 12 {
		t.Errorf("%d images of 12, %v", len(items), err)
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, ".tmp-") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDamagedBlobs(t *testing.T) {
	dir := t.TempDir()
	img := imageWith(t, "amd64", "f", "text")
	if err := OpenLayout(dir, true).Put("x:1", img, nil); err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	damage := func(data []byte) error {
		path := filepath.Join(dir, "blobs/sha256", digest.Hex)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		img, err := OpenLayout(dir, false).Get("x:1", amd64)
		if err != nil {
			return err
		}
		_, err = img.Tree(context.Background(), tree.DefaultLimits)
		return errors.Join(err, img.Close())
	}
	if err := damage([]byte("short")); err == nil || !strings.Contains(err.Error(), "bytes stored") {
		t.Errorf("a short layer: got %v", err)
	}
	size, err := layers[0].Size()
	if err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	z := gzip.NewWriter(&other)
	if _, err := z.Write(tarOf(t, map[string]string{"evil": "x"})); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	swapped := make([]byte, size)
	copy(swapped, other.Bytes())
	if err := damage(swapped); err == nil {
		t.Error("a layer of another content was taken")
	}
}

// TestBomb unpacks a few kilobytes that would be many megabytes.
func TestBomb(t *testing.T) {
	data := tarOf(t, map[string]string{"zeros": strings.Repeat("\x00", 8<<20)})
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	store := OpenLayout(t.TempDir(), true)
	if err := store.Put("bomb:1", img, nil); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get("bomb:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	_, err = got.Tree(context.Background(), tree.Limits{Bytes: 1 << 20, Entries: 10})
	if err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("got %v", err)
	}
	if err := got.Close(); err != nil {
		t.Error(err)
	}
}

func TestDigestsAreNoPaths(t *testing.T) {
	for _, h := range []v1.Hash{
		{Algorithm: "sha256", Hex: "../../../../etc/passwd"}, {Algorithm: "../..", Hex: strings.Repeat("a", 64)},
		{Algorithm: "sha256", Hex: strings.Repeat("/", 64)},
	} {
		if b, err := (directory{dir: t.TempDir()}).open(h); err == nil {
			t.Errorf("%v was opened", h)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDockerSaveTar(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.tar")
	tag, err := name.NewTag("some/app:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(file, tag, imageWith(t, "amd64", "f", "saved")); err != nil {
		t.Fatal(err)
	}
	source, err := OpenSource(file)
	if err != nil {
		t.Fatal(err)
	}
	img, err := source.Get("some/app:2", amd64)
	if err != nil {
		t.Fatal(err)
	}
	if got := textIn(t, img, "f"); got != "saved" {
		t.Errorf("got %q", got)
	}
	if _, err := source.Get("some/app:3", amd64); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestSharedLayersOfDockerSave reads a layer by a link, as older engines write
// it for images that share one.
func TestSharedLayersOfDockerSave(t *testing.T) {
	layer := tarOf(t, map[string]string{"f": "shared"})
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s"]}}`, hashOf(layer))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range []struct{ name, text, link string }{
		{"one/layer.tar", string(layer), ""}, {"two/layer.tar", "", "../one/layer.tar"}, {"c.json", config, ""},
		{"manifest.json", `[{"Config":"c.json","RepoTags":["two:1"],"Layers":["two/layer.tar"]}]`, ""},
	} {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "saved.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := OpenSource(file)
	if err != nil {
		t.Fatal(err)
	}
	img, err := source.Get("two:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	if got := textIn(t, img, "f"); got != "shared" {
		t.Errorf("got %q", got)
	}
}

// TestArchives reads tars as tools write them: the layout below ./, that of newer
// engines beside manifest.json, and an image without a tag.
func TestArchives(t *testing.T) {
	f := newFake(t)
	img := f.image("amd64", "one")
	f.layout(img)
	layout := map[string]string{}
	blobs, err := filepath.Glob(f.dir + "/blobs/sha256/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(blobs, f.dir+"/index.json") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		layout[strings.TrimPrefix(file, f.dir+"/")] = string(data)
	}
	prefixed := func(prefix string) map[string]string {
		out := map[string]string{}
		for name, text := range layout {
			out[prefix+name] = text
		}
		return out
	}
	layer := string(tarOf(t, map[string]string{"f": "one"}))
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s"]}}`, hashOf([]byte(layer)))
	saved := func(tags string) map[string]string {
		return map[string]string{"a.json": config, "b/layer.tar": layer, "manifest.json": `[{"Config":"a.json","RepoTags":` + tags + `,"Layers":["b/layer.tar"]}]`}
	}
	both := prefixed("")
	maps.Copy(both, saved(`["some/app:1"]`))
	for name, c := range map[string]struct {
		files    map[string]string
		oci, ask string
	}{
		"layout":                {prefixed(""), "app=", "app"},
		"layout below ./":       {prefixed("./"), "app=", "app"},
		"layout below /":        {prefixed("/"), "app=", "app"},
		"layout, by digest":     {prefixed("./"), "", "app@" + img.Digest.String()},
		"both":                  {both, "", "some/app:1"},
		"saved, below ./":       {map[string]string{"./a.json": config, "./b/layer.tar": layer, "./manifest.json": saved(`["some/app:1"]`)["manifest.json"]}, "", "some/app:1"},
		"saved without a tag":   {saved("null"), "app=", "app"},
		"saved, by its id":      {saved("null"), "", "app@" + hashOf([]byte(config)).String()},
		"saved, by another tag": {saved(`["some/app:1"]`), "app=", "app"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "images.tar")
			if err := os.WriteFile(file, tarOf(t, c.files), 0o644); err != nil {
				t.Fatal(err)
			}
			source, err := OpenNamed(c.oci + file)
			if err != nil {
				t.Fatal(err)
			}
			img, err := source.Get(c.ask, amd64)
			if err != nil {
				t.Fatal(err)
			}
			if got := textIn(t, img, "f"); got != "one" || img.Name != FullName(c.ask) {
				t.Errorf("got %q of %s", got, img.Name)
			}
			err = use(&Finder{Layouts: []Source{source}, Store: OpenLayout(t.TempDir(), true)}, "other")
			if err == nil || !strings.Contains(err.Error(), file+" holds ") || !strings.Contains(err.Error(), "sha256:") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenSourceSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.tar")
	if err := os.WriteFile(plain, tarOf(t, map[string]string{"x": "y"}), 0o644); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(dir, "packed.tar.gz")
	if err := os.WriteFile(packed, gzipped(t, bytes.NewReader(tarOf(t, nil))), 0o644); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	whole := tarOf(t, map[string]string{"blob": strings.Repeat("x", 2000)})
	for path, want := range map[string]string{
		write("a.tar.xz", append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...)): "neither a tar nor gzip nor zstd: xz",
		write("a.tar.bz2", append([]byte("BZh91AY"), make([]byte, 600)...)):     "neither a tar nor gzip nor zstd: bzip2",
		write("some.json", []byte(`{"schemaVersion":2}`)):                       "neither a tar nor gzip nor zstd: JSON",
		write("cut.tar", whole[:1500]):                                          `behind "blob": unexpected EOF`,
		write("empty.tar", nil):                                                 "neither an OCI layout",
		packed:                                                                  "a compressed tar", filepath.Join(dir, "none"): "no such file", dir: "no index.json", plain: "neither an OCI layout",
	} {
		if _, err := OpenSource(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"amd64": "linux/amd64", "linux/arm64": "linux/arm64", "aarch64": "linux/arm64", "linux/arm/v7": "linux/arm/v7",
	} {
		p, err := ParsePlatform(in)
		if err != nil || p.String() != want {
			t.Errorf("%s: got %s, %v", in, p, err)
		}
	}
	for _, in := range []string{"", "windows/amd64", "linux/a/b/c"} {
		if p, err := ParsePlatform(in); err == nil {
			t.Errorf("%q gives %s", in, p)
		}
	}
}

// TestSparseArchive reads a layout whose tar leaves out the holes of a layer, as
// GNU tar writes it with -S.
func TestSparseArchive(t *testing.T) {
	for _, format := range []string{"gnu", "posix", "posix --sparse-version=0.0", "posix --sparse-version=0.1"} {
		f := newFake(t)
		text := strings.Repeat("\x00", 1<<20) + "end"
		f.layout(f.image("amd64", text))
		blobs, err := filepath.Glob(f.dir + "/blobs/sha256/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, blob := range blobs {
			dig(t, blob)
		}
		file := filepath.Join(t.TempDir(), "images.tar")
		args := append([]string{"-c", "-S", "-C", f.dir, "-f", file, "."}, strings.Fields("--format="+format)...)
		if out, err := exec.CommandContext(t.Context(), "tar", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if info, err := os.Stat(file); err != nil || info.Size() > 1<<20 {
			t.Fatalf("%s: %d bytes, so no holes are left out; %v", format, info.Size(), err)
		}
		source, err := OpenNamed("app=" + file)
		if err != nil {
			t.Fatal(err)
		}
		img, err := source.Get("app", amd64)
		if err != nil {
			t.Fatal(err)
		}
		if got := textIn(t, img, "f"); got != text {
			t.Errorf("%s: got %d bytes", format, len(got))
		}
	}
}

// dig makes holes of a file's zeros.
func dig(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.WriteSparse(file, 0, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
