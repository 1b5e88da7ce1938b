package oci

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// recorder notes the hosts that are asked for anything, and lets nothing pass.
type recorder struct {
	sync.Mutex
	asked []string
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.Lock()
	defer r.Unlock()
	r.asked = append(r.asked, q.URL.Host)
	return nil, errors.New("no network")
}

// TestOwnImagesAskNobody looks for our own images here alone, whatever is said of
// registries, and for those of others there as well.
func TestOwnImagesAskNobody(t *testing.T) {
	for _, c := range []struct {
		name, arch, want string
		asks             bool
	}{
		{"slipway/init:v0.1", "amd64", "`slipway images build init` makes it", false},
		{"slipway/init", "amd64", "`slipway images build init` makes slipway/init:v0.1", false},
		{"slipway/init:v0.3", "amd64", "`slipway images build init` makes slipway/init:v0.1", false},
		{"slipway/inti:v0.1", "amd64", "`slipway images build inti` makes it", false},
		{"slipway/runc@sha256:" + strings.Repeat("0", 64), "amd64", "`slipway images build runc` makes slipway/runc:v0.1", false},
		{"slipway/kernel:v0.1", "arm64", "`slipway images build --platform linux/arm64 kernel` makes it", false},
		{"docker.io/slipway/init:v0.1", "amd64", "no network", true},
		{"registry.example/slipway/init:v0.1", "amd64", "no network", true},
		{"linuxkit/init:v1", "amd64", "no network", true},
		{"slipways/init:v1", "amd64", "no network", true},
	} {
		for _, pull := range []bool{false, true} {
			r := &recorder{}
			f := &Finder{Store: OpenLayout(t.TempDir(), true), Pull: pull,
				Remote: &Registry{Transport: r, Pause: 1, Mirrors: Mirrors{"docker.io": "mirror.example"}}}
			_, err := f.Get(t.Context(), c.name, v1.Platform{OS: "linux", Architecture: c.arch})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %s", c.name, err, c.want)
			}
			if (len(r.asked) > 0) != c.asks {
				t.Errorf("%s: asked %v", c.name, r.asked)
			}
			if !c.asks && !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v is not ErrNotFound", c.name, err)
			}
		}
	}
}

// TestOwnImagesAreFound in a layout that is named, and in the store, where
// --pull leaves them alone even if they came from elsewhere.
func TestOwnImagesAreFound(t *testing.T) {
	const name = "slipway/init:v0.1"
	full, empty := OpenLayout(t.TempDir(), true), OpenLayout(t.TempDir(), true)
	if err := full.Put(name, imageWith(t, "amd64", "f", "x"), nil); err != nil {
		t.Fatal(err)
	}
	layout, err := OpenSource(full.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for where, f := range map[string]*Finder{
		"store": {Store: full}, "layout": {Layouts: []Source{layout}, Store: empty},
		"layout without a store": {Layouts: []Source{layout}, Store: OpenLayout("", true)},
	} {
		r := &recorder{}
		f.Remote, f.Pull = &Registry{Transport: r, Pause: 1}, true
		img, err := f.Get(t.Context(), name, amd64)
		if err != nil || len(r.asked) > 0 {
			t.Errorf("%s: %v, asked %v", where, err, r.asked)
			continue
		}
		if got := textIn(t, img, "f"); got != "x" {
			t.Errorf("%s: got %q", where, got)
		}
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	}
	f := &Finder{Layouts: []Source{layout}, Store: empty}
	if _, err := f.Get(t.Context(), "slipway/runc:v0.1", amd64); err == nil || !strings.Contains(err.Error(), "holds docker.io/"+name) {
		t.Errorf("what the layout holds is not said: %v", err)
	}
}

// TestImpostor has a registry give an image under our name, written out, and looks
// that nobody takes what is in the store then for ours.
func TestImpostor(t *testing.T) {
	const full, own = "docker.io/slipway/init:v0.1", "slipway/init:v0.1"
	s := plainServer(t)
	s.push(t, "slipway/init:v0.1", imageWith(t, "amd64", "f", "impostor"))
	s.pushIndex(t, "slipway/kernel:v0.1", map[string]string{"amd64": "impostor", "arm64": "impostor"})
	store := OpenLayout(t.TempDir(), true)
	remote := impatient()
	remote.Mirrors = Mirrors{"*": s.URL}
	f := &Finder{Store: store, Remote: remote}
	for _, name := range []string{full, "docker.io/slipway/kernel:v0.1"} {
		if img, err := f.Get(t.Context(), name, amd64); err != nil {
			t.Fatal(err)
		} else if text := textIn(t, img, "f"); text != "impostor" {
			t.Fatalf("%s: got %q", name, text)
		}
	}
	s.forget()
	elsewhere, err := OpenSource(store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{own, "slipway/kernel:v0.1"} {
		for where, f := range map[string]*Finder{
			"store": f, "layout": {Layouts: []Source{elsewhere}, Store: OpenLayout(t.TempDir(), true), Remote: remote},
		} {
			if _, err := f.Get(t.Context(), name, amd64); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "`slipway images build ") {
				t.Errorf("%s from a %s with an impostor: got %v", name, where, err)
			}
		}
	}
	s.lock.Lock()
	if len(s.heads) > 0 {
		t.Errorf("the registry was asked for %v", s.heads)
	}
	s.lock.Unlock()
	if err := store.Put(own, imageWith(t, "amd64", "f", "ours"), map[string]string{InputsAnnotation: "x"}); err != nil {
		t.Fatal(err)
	}
	img, err := f.Get(t.Context(), own, amd64)
	if err != nil {
		t.Fatal(err)
	}
	if text := textIn(t, img, "f"); text != "ours" {
		t.Errorf("got %q", text)
	}
}

// TestKey tells our own images from those of the same name on a public registry.
func TestKey(t *testing.T) {
	for name, want := range map[string]string{
		"slipway/init":                "slipway/init:latest",
		"slipway/init:v0.1":           "slipway/init:v0.1",
		"docker.io/slipway/init:v0.1": "docker.io/slipway/init:v0.1",
		"alpine":                      "docker.io/library/alpine:latest",
	} {
		if got := Key(name); got != want || Key(got) != want {
			t.Errorf("%s: got %s, and of that %s", name, got, Key(got))
		}
	}
}

// TestNoStore says so where nothing tells where the store is, and writes nothing
// below the working directory.
func TestNoStore(t *testing.T) {
	for _, key := range []string{"SLIPWAY_STORE", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(key, "")
	}
	t.Chdir(t.TempDir())
	r := &recorder{}
	for _, name := range []string{"slipway/init:v0.1", "alpine:3.20"} {
		f := &Finder{Store: OpenStore(), Remote: &Registry{Transport: r, Pause: 1}}
		if _, err := f.Get(t.Context(), name, amd64); !errors.Is(err, ErrNoStore) || !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := OpenStore().Put("a:1", imageWith(t, "amd64", "f", "x"), nil); !errors.Is(err, ErrNoStore) {
		t.Errorf("put: got %v", err)
	}
	if left, err := filepath.Glob("*"); err != nil || len(left) > 0 || len(r.asked) > 0 {
		t.Errorf("left %v, asked %v, %v", left, r.asked, err)
	}
	t.Setenv("HOME", "/home/x")
	if got := StoreDir(); got != "/home/x/.cache/slipway/store" {
		t.Errorf("with a home: %s", got)
	}
}
