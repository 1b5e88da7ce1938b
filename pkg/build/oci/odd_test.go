package oci

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"slipway/pkg/build/tree"
)

// TestNamesTwice wants nobody to be given one of two images because it stands first.
func TestNamesTwice(t *testing.T) {
	f := newFake(t)
	a, b := f.image("amd64", "a"), f.image("amd64", "b")
	both := fmt.Sprintf("two images go by that name here, %s and %s", a.Digest, b.Digest)
	app := func(d v1.Descriptor) v1.Descriptor { return named1(d, "app") }
	for name, c := range map[string]struct {
		list []v1.Descriptor
		ask  string
		want string // text, or the error behind a "!"
	}{
		"two":               {[]v1.Descriptor{app(a), app(b)}, "app", "!" + both},
		"with platforms":    {[]v1.Descriptor{app(on(a, "amd64")), app(on(b, "amd64"))}, "app", "!" + both},
		"one in an index":   {[]v1.Descriptor{app(a), app(f.index(on(b, "amd64")))}, "app", "!two images"},
		"by digest":         {[]v1.Descriptor{app(a), app(b)}, "app@" + b.Digest.String(), "b"},
		"the same":          {[]v1.Descriptor{app(a), app(a)}, "app", "a"},
		"the same in index": {[]v1.Descriptor{app(a), app(f.index(on(a, "amd64")))}, "app", "a"},
		"of two platforms":  {[]v1.Descriptor{app(f.both("arm64")), app(a)}, "app", "a"},
		"a variant":         {[]v1.Descriptor{app(f.both("amd64/v3")), app(on(a, "amd64"))}, "app", "a"},
		"with attestation":  {[]v1.Descriptor{app(a), app(f.attestation())}, "app", "a"},
		"other names":       {[]v1.Descriptor{app(a), named1(b, "app:2")}, "app", "a"},
	} {
		img, err := f.layout(c.list...).Get(c.ask, amd64)
		check(t, name, img, err, c.want)
	}
	layer := string(tarOf(t, map[string]string{"f": "one"}))
	config := fmt.Sprintf(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s"]}}`, hashOf([]byte(layer)))
	for manifest, want := range map[string]string{
		`[{"Config":"a","RepoTags":["app"],"Layers":["l"]},{"Config":"b","RepoTags":["x","app:latest"],"Layers":["l"]}]`: "!two images go by that name here",
		`[{"Config":"a","RepoTags":["app"],"Layers":["l"]},{"Config":"a","RepoTags":["app"],"Layers":["l"]}]`:            "one",
	} {
		file := filepath.Join(t.TempDir(), "saved.tar")
		if err := os.WriteFile(file, tarOf(t, map[string]string{"a": config, "b": config + " ", "l": layer, "manifest.json": manifest}), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := OpenSource(file)
		if err != nil {
			t.Fatal(err)
		}
		img, err := source.Get("app", amd64)
		check(t, manifest, img, err, want)
	}
}

func check(t *testing.T, name string, img *Image, err error, want string) {
	t.Helper()
	words, refused := strings.CutPrefix(want, "!")
	switch {
	case refused && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("%s: got %v, want %q", name, err, words)
	case !refused && err != nil:
		t.Errorf("%s: %v", name, err)
	case !refused:
		if got := textIn(t, img, "f"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestNoFiles finds what is no file in the place of every file that a build reads, and
// waits for none: a test that fails here hangs.
func TestNoFiles(t *testing.T) {
	for kind, make := range map[string]func(string) error{
		"a FIFO":      func(name string) error { return unix.Mkfifo(name, 0o600) },
		"a directory": func(name string) error { return os.Mkdir(name, 0o700) },
		"a device":    func(name string) error { return os.Symlink("/dev/zero", name) },
		"a socket": func(name string) error {
			// Its path is longer than a socket's may be.
			dir, err := os.Open(filepath.Dir(name))
			if err != nil {
				return err
			}
			defer dir.Close()
			l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), "s"))
			if err != nil {
				return err
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			return errors.Join(l.Close(), os.Rename(filepath.Join(filepath.Dir(name), "s"), name))
		},
	} {
		f := newFake(t)
		img := f.image("amd64", "a")
		layout := f.layout(named1(img, "app"))
		whole, err := layout.Get("app", amd64)
		if err != nil {
			t.Fatal(err)
		}
		blob := func(h v1.Hash) string { return filepath.Join(f.dir, "blobs/sha256", h.Hex) }
		for _, place := range []string{blob(whole.Manifest.Layers[0].Digest), blob(whole.Manifest.Config.Digest), blob(img.Digest), filepath.Join(f.dir, "index.json")} {
			kept := place + ".kept"
			if err := errors.Join(os.Rename(place, kept), make(place)); err != nil {
				t.Fatal(err)
			}
			img, err := layout.Get("app", amd64)
			if err == nil {
				_, err = img.Tree(t.Context(), tree.DefaultLimits)
			}
			if err == nil || !strings.Contains(err.Error(), place+": is "+kind) {
				t.Errorf("%s: got %v", kind, err)
			}
			if err := errors.Join(os.Remove(place), os.Rename(kept, place)); err != nil {
				t.Fatal(err)
			}
		}
		if kind == "a directory" {
			continue
		}
		archive := filepath.Join(t.TempDir(), "x.tar")
		if err := make(archive); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSource(archive); err == nil || !strings.Contains(err.Error(), archive+": is "+kind) {
			t.Errorf("archive, %s: got %v", kind, err)
		}
		if _, err := TransportTrusting([]string{archive}); err == nil || !strings.Contains(err.Error(), "is "+kind) {
			t.Errorf("certificates, %s: got %v", kind, err)
		}
	}
}

// TestCredentialsThatAreNoFile does not wait for those of Docker and Podman.
func TestCredentialsThatAreNoFile(t *testing.T) {
	for variable, file := range map[string]string{
		"HOME": ".docker/config.json", "DOCKER_CONFIG": "config.json", "REGISTRY_AUTH_FILE": "", "XDG_RUNTIME_DIR": "containers/auth.json", "XDG_CONFIG_HOME": "containers/auth.json",
	} {
		t.Run(variable, func(t *testing.T) {
			for _, v := range []string{"HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
				t.Setenv(v, "")
			}
			dir := t.TempDir()
			place := filepath.Join(dir, file)
			if file == "" {
				place = filepath.Join(dir, "auth.json")
				dir = place
			}
			t.Setenv(variable, dir)
			if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), unix.Mkfifo(place, 0o600)); err != nil {
				t.Fatal(err)
			}
			ref, err := name.ParseReference("127.0.0.1:1/a")
			if err != nil {
				t.Fatal(err)
			}
			r := &Registry{}
			_, err = r.login(t.Context(), ref, "pull")
			if err == nil || !strings.Contains(err.Error(), "read credentials: "+place+": is a FIFO") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestConfigurationsOfOtherTypes names the field and what it should be.
func TestConfigurationsOfOtherTypes(t *testing.T) {
	for config, want := range map[string]string{
		`{"config": {"Env": "PATH=/bin"}}`:       "config.Env is of JSON type string; want a list",
		`{"config": {"Cmd": "/bin/app"}}`:        "config.Cmd is of JSON type string; want a list",
		`{"config": {"Labels": ["a"]}}`:          "config.Labels is of JSON type array; want an object",
		`{"config": {"User": 5}}`:                "config.User is of JSON type number; want text",
		`{"config": {"Volumes": ["/x"]}}`:        "config.Volumes is of JSON type array; want an object",
		`{"rootfs": "x"}`:                        "rootfs is of JSON type string; want an object",
		`[]`:                                     "all of it is of JSON type array; want an object",
		`{"os": "linux"`:                         "unexpected end of JSON input",
		`{"rootfs": {"diff_ids": ["md5:abcd"]}}`: `unsupported hash: "md5"`,
	} {
		f := newFake(t)
		c := f.blob(configType, []byte(config))
		img := f.json(imageType, map[string]any{"schemaVersion": 2, "config": c, "layers": []v1.Descriptor{}})
		_, err := f.layout(named1(img, "app")).Get("app", amd64)
		if err == nil || !strings.HasSuffix(err.Error(), "configuration "+c.Digest.String()+": "+want) {
			t.Errorf("%s: got %v, want %q", config, err, want)
		}
	}
}

// TestUnpackedThatIsNoFile unpacks a layer again where the store has a FIFO for it.
func TestUnpackedThatIsNoFile(t *testing.T) {
	store := OpenLayout(t.TempDir(), true)
	if err := store.Put("app:1", imageWith(t, "amd64", "f", "one"), nil); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		img, err := store.Get("app:1", amd64)
		if err != nil {
			t.Fatal(err)
		}
		return textIn(t, img, "f")
	}
	if got := read(); got != "one" {
		t.Fatalf("got %q", got)
	}
	kept, err := filepath.Glob(filepath.Join(store.Dir(), unpackedDirectory, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	if err := errors.Join(os.Remove(kept[0]), unix.Mkfifo(kept[0], 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "one" {
		t.Errorf("got %q", got)
	}
}
