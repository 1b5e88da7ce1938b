package oci

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/test/poll"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func digestOf(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// pushIndex puts an image of several platforms on the server.
func (s *server) pushIndex(t *testing.T, image string, texts map[string]string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		if text, ok := texts[arch]; ok {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add:        imageWith(t, arch, "f", text),
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
			})
		}
	}
	ref, err := name.ParseReference(s.host() + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	s.forget()
	return index
}

// TestPlatforms takes of an index what fits, keeps the index, and fetches
// another platform when that one is wanted.
func TestPlatforms(t *testing.T) {
	s := plainServer(t)
	index := s.pushIndex(t, "app:1", map[string]string{"amd64": "for amd64", "arm64": "for arm64"})
	store := OpenLayout(t.TempDir(), true)
	online, offline := &Finder{Store: store, Remote: impatient()}, &Finder{Store: store}
	get := func(f *Finder, arch string) (string, error) {
		img, err := f.Get(t.Context(), s.host()+"/app:1", v1.Platform{OS: "linux", Architecture: arch})
		if err != nil {
			return "", err
		}
		if img.Descriptor().Digest.String() != digestOf(t, index) {
			t.Errorf("%s: the index is not kept", arch)
		}
		return textIn(t, img, "f"), nil
	}
	if text, err := get(online, "amd64"); text != "for amd64" || err != nil {
		t.Fatalf("got %q, %v", text, err)
	}
	if _, err := get(offline, "arm64"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "linux/arm64, only its index") {
		t.Errorf("got %v", err)
	}
	if text, err := get(online, "arm64"); text != "for arm64" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if text, err := get(offline, arch); text != "for "+arch || err != nil {
			t.Errorf("offline %s: got %q, %v", arch, text, err)
		}
	}
	if _, err := get(online, "riscv64"); err == nil || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("got %v", err)
	}
}

// TestPinnedImages wants what a digest in a name says and nothing else.
func TestPinnedImages(t *testing.T) {
	s := plainServer(t)
	index := s.pushIndex(t, "app:1", map[string]string{"amd64": "x"})
	store := OpenLayout(t.TempDir(), true)
	if err := use(&Finder{Store: store, Remote: impatient()}, s.host()+"/app:1"); err != nil {
		t.Fatal(err)
	}
	pinned := s.host() + "/app@" + digestOf(t, index)
	offline := &Finder{Store: store}
	for _, image := range []string{pinned, s.host() + "/app:1@" + digestOf(t, index)} {
		if err := use(offline, image); err != nil {
			t.Errorf("what a tag has brought is not found by digest: %v", err)
		}
		if err := use(&Finder{Store: OpenLayout(t.TempDir(), true), Remote: impatient()}, image); err != nil {
			t.Error(err)
		}
	}
	wrong := s.host() + "/app@sha256:" + strings.Repeat("0", 64)
	if err := use(&Finder{Store: store, Remote: impatient()}, wrong); err == nil {
		t.Error("an image of another digest was taken")
	}
	layout := OpenLayout(t.TempDir(), false)
	if err := layout.Put(wrong, imageWith(t, "amd64", "f", "x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := use(&Finder{Layouts: []Source{layout}, Store: store}, wrong); err == nil || !strings.Contains(err.Error(), "by that name") {
		t.Errorf("a layout that lies: got %v", err)
	}
}

// TestPull asks again for what the store has, but not for what was built here.
func TestPull(t *testing.T) {
	s := plainServer(t)
	store := OpenLayout(t.TempDir(), true)
	text := func(f *Finder, image string) string {
		img, err := f.Get(t.Context(), image, amd64)
		if err != nil {
			t.Fatal(err)
		}
		return textIn(t, img, "f")
	}
	app := s.host() + "/app:1"
	s.push(t, "app:1", imageWith(t, "amd64", "f", "first"))
	keep, pull := &Finder{Store: store, Remote: impatient()}, &Finder{Store: store, Remote: impatient(), Pull: true}
	if got := text(keep, app); got != "first" {
		t.Fatalf("got %q", got)
	}
	s.push(t, "app:1", imageWith(t, "amd64", "f", "second"))
	if got := text(keep, app); got != "first" || len(s.heads) > 0 {
		t.Errorf("without --pull: got %q, asked for %v", got, s.heads)
	}
	if got := text(pull, app); got != "second" {
		t.Errorf("with --pull: got %q", got)
	}
	own := s.host() + "/own:1"
	if err := store.Put(own, imageWith(t, "amd64", "f", "built here"), map[string]string{InputsAnnotation: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := text(pull, own); got != "built here" {
		t.Errorf("built here: got %q", got)
	}
	s.Close()
	if got := text(keep, app); got != "second" {
		t.Errorf("without network: got %q", got)
	}
}

// opened counts how often this process has a file open.
func opened(t *testing.T, file string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == file {
			n++
		}
	}
	return n
}

// TestTwoBuildsAtOnce fetch every layer once between them.
func TestTwoBuildsAtOnce(t *testing.T) {
	s := plainServer(t)
	img, layer := bigImage(t)
	s.push(t, "app:1", img)
	var begun sync.WaitGroup
	begun.Add(1)
	s.misbehave = func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if isLayer(r, layer) {
			begun.Wait()
		}
		return false
	}
	dir := t.TempDir()
	var builds sync.WaitGroup
	for range 4 {
		builds.Go(func() {
			if err := use(&Finder{Store: OpenLayout(dir, true), Remote: impatient()}, s.host()+"/app:1"); err != nil {
				t.Error(err)
			}
		})
	}
	poll.Until(t, "all ask for its lock", func() bool { return opened(t, filepath.Join(dir, "partial", layer.Digest.Hex)) == 4 })
	begun.Done()
	builds.Wait()
	if got := s.asked(layer); len(got) != 1 {
		t.Errorf("asked %d times: %q", len(got), got)
	}
	checkStore(t, OpenLayout(dir, true))
}

// TestSideBySide answers no layer before all have been asked for.
func TestSideBySide(t *testing.T) {
	s := plainServer(t)
	img, err := random.Image(1000, downloads)
	if err != nil {
		t.Fatal(err)
	}
	s.push(t, "app:1", img)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Add(downloads)
	s.misbehave = func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, config.String()) {
			all.Done()
			all.Wait()
		}
		return false
	}
	watch := &watcher{}
	r := impatient()
	r.Stall = poll.Longest // what ends the test if they come one by one
	r.Progress = watch
	if err := r.Fetch(t.Context(), s.host()+"/app:1", amd64, OpenLayout(t.TempDir(), true)); err != nil {
		t.Fatal(err)
	}
	if watch.started != downloads || watch.closed != downloads || watch.bytes != watch.total {
		t.Errorf("progress: %+v", watch)
	}
}

// watcher sums up what it is told of downloads.
type watcher struct {
	lock            sync.Mutex
	started, closed int
	bytes, total    int64
}

func (w *watcher) Start(_ string, have, size int64) Transfer {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.started++
	w.total += size
	return &watched{w, have}
}

type watched struct {
	*watcher
	at int64
}

func (w *watched) At(bytes int64) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.bytes += bytes - w.at
	w.at = bytes
}

func (w *watched) Close() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.closed++
}

// TestStoreHeals fetches again what is missing, cut short or damaged.
func TestStoreHeals(t *testing.T) {
	s := plainServer(t)
	img, layer := bigImage(t)
	s.push(t, "app:1", img)
	store := OpenLayout(t.TempDir(), true)
	finder := &Finder{Store: store, Remote: impatient()}
	app, blob := s.host()+"/app:1", store.path(layer.Digest)
	if err := use(finder, app); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func() error{
		"missing":   func() error { return os.Remove(blob) },
		"cut short": func() error { return os.Truncate(blob, 100) },
		"empty":     func() error { return os.Truncate(blob, 0) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if err := use(&Finder{Store: store}, app); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), layer.Digest.String()) {
			t.Errorf("%s, offline: got %v", name, err)
		}
		if err := use(finder, app); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole[len(whole)/2] ^= 1
	if err := os.WriteFile(blob, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	// Nobody reads it while the layer is there unpacked.
	if err := use(finder, app); err != nil {
		t.Errorf("damaged, and kept unpacked: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(store.Dir(), unpackedDirectory)); err != nil {
		t.Fatal(err)
	}
	if err := use(finder, app); err == nil || !strings.Contains(err.Error(), "next build fetches it again") {
		t.Errorf("damaged: got %v", err)
	}
	if err := use(finder, app); err != nil {
		t.Errorf("after damage: %v", err)
	}
	checkStore(t, store)
}

func TestMirrors(t *testing.T) {
	m, err := ParseMirrors([]string{"mirror.example", "quay.io=http://10.0.0.1:5000/", "*=https://all.example"})
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"alpine:3":      "https mirror.example/library/alpine:3",
		"quay.io/a/b":   "http 10.0.0.1:5000/a/b:latest",
		"ghcr.io/a/b:2": "https all.example/a/b:2",
		"quay.io/a/b@sha256:" + strings.Repeat("a", 64): "http 10.0.0.1:5000/a/b@sha256:" + strings.Repeat("a", 64),
	} {
		ref, err := m.reference(FullName(image))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fmt.Sprint(ref.Context().Scheme(), " ", ref.Name()); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
	for _, wrong := range []string{"", "a=", "=b", "a=b/c", "a=b c", "a=b=c"} {
		if _, err := ParseMirrors([]string{wrong}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	s := plainServer(t)
	s.push(t, "library/app:1", imageWith(t, "amd64", "f", "mirrored"))
	store := OpenLayout(t.TempDir(), true)
	r := impatient()
	r.Mirrors = Mirrors{"docker.io": s.URL}
	if err := r.Fetch(t.Context(), "app:1", amd64, store); err != nil {
		t.Fatal(err)
	}
	img, err := store.Get("app:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	if got := textIn(t, img, "f"); got != "mirrored" {
		t.Errorf("got %q", got)
	}
}

func TestRedirectsStayOutside(t *testing.T) {
	request := func(url string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"https://registry.example/", "https://cdn.example/", true},
		{"https://registry.example/", "http://169.254.169.254/latest", false},
		{"https://registry.example/", "http://localhost/", false},
		{"http://10.0.0.1/", "http://10.0.0.2/", true},
	} {
		if err := stayOutside(request(c.to), []*http.Request{request(c.from)}); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}
