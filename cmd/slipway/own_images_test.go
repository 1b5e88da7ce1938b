package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/pkg/build/oci"
)

// impostor is a registry that has images under our names, with a count of who asks.
func impostor(t *testing.T) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	for _, short := range []string{"init", "kernel", "busybox"} {
		ref, err := name.ParseReference(strings.TrimPrefix(s.URL, "http://") + "/slipway/" + short + ":v0.1")
		if err != nil {
			t.Fatal(err)
		}
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
		if err == nil {
			err = remote.Write(ref, img)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	asked.Store(0)
	return s.URL, asked
}

const noDigest = "0000000000000000000000000000000000000000000000000000000000000000"

// everywhere names one of our images at each place that can.
const everywhere = `
kernel: {image: "slipway/kernel:v0.1"}
init: ["slipway/init:v0.1"]
volumes: [{name: v, image: "slipway/busybox:v0.1"}, {name: w, image: "slipway/busybox", format: oci, platforms: [linux/arm64]}]
onboot: [{name: a, image: "slipway/busybox:v0.1@sha256:` + noDigest + `"}]
onshutdown: [{name: b, image: "slipway/busybox:v0.1", command: [x]}]
services: [{name: c, image: "slipway/busybox:v0.1", command: [x]}]
`

// TestImpostor goes every way to an image of ours that is not here, while a registry
// offers one; then with the impostor in the store, where somebody has named it in
// full.
func TestImpostor(t *testing.T) {
	url, asked := impostor(t)
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	t.Setenv("LINUXKIT_CACHE", "")
	if err := oci.OpenLayout("cache", false).Put("other:1", empty.Image, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "m.yml", everywhere)
	routes := [][]string{
		{"validate"}, {"validate", "--pull"}, {"validate", "--cache", "cache"}, {"build", "-f", "tar"}, {"build", "--pull"}, {"build", "--oci", "cache"},
		{"build", "--pull", "--cache", "cache", "-f", "raw-efi"}, {"build", "--arch", "arm64"}, {"build", "--hardening", "none"},
	}
	refused := func(text string) {
		t.Helper()
		for _, args := range routes {
			out, errOut, status := command(t, "", append(args, "--mirror", "*="+url, "m.yml")...)
			for _, want := range []string{"kernel.image: ", "init[0]: ", "volumes[0].image", "volumes[1].image", "onboot[0].image", "onshutdown[0].image", "services[0].image"} {
				if status != 1 || !strings.Contains(out+errOut, want) {
					t.Errorf("%s: %v: nothing of %s; status %d\n%s%s", text, args, want, status, out, errOut)
				}
			}
		}
	}
	refused("empty store")
	if n := asked.Load(); n != 0 {
		t.Errorf("the registry was asked %d times", n)
	}
	for _, short := range []string{"init", "kernel", "busybox"} {
		f := oci.Finder{Store: oci.OpenStore(), Remote: &oci.Registry{Mirrors: oci.Mirrors{"*": url}}}
		if _, err := f.Get(t.Context(), "docker.io/slipway/"+short+":v0.1", v1.Platform{OS: "linux", Architecture: runtime.GOARCH}); err != nil {
			t.Fatal(err)
		}
	}
	asked.Store(0)
	refused("impostor in the store")
	if n := asked.Load(); n != 0 {
		t.Errorf("with the impostor in the store, the registry was asked %d times", n)
	}
	// One YAML with both names: what the full one gives is not the short one's.
	out, _, status := command(t, "init: [\"docker.io/slipway/init:v0.1\", \"slipway/init:v0.1\"]\n", "validate", "--offline", "-")
	if status != 1 || !strings.Contains(out, "init[1]: ") || strings.Contains(out, "init[0]: ") {
		t.Errorf("both names: status %d\n%s", status, out)
	}
}

// TestOwnImagesAreNotAskedFor builds and validates with a registry that counts who
// comes, an empty store, and then none.
func TestOwnImagesAreNotAskedFor(t *testing.T) {
	var asked atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.NotFound(w, nil)
	}))
	defer registry.Close()
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	const own = "kernel: {image: \"slipway/kernel:v0.1\"}\ninit: [\"slipway/init:v0.1\"]\n"
	for _, args := range [][]string{{"validate"}, {"build", "-f", "tar"}, {"build", "--pull"}} {
		args = append(args, "--mirror", "*="+registry.URL, "-")
		out, errOut, status := command(t, own, args...)
		if status != 1 || !strings.Contains(out+errOut, "`slipway images build init` makes it") {
			t.Errorf("%v: status %d\n%s%s", args, status, out, errOut)
		}
	}
	for _, args := range [][]string{{"validate"}, {"build", "--pull"}} {
		out, errOut, status := command(t, "init: [\"localhost/web:1\"]\n", append(args, "--mirror", "*="+registry.URL, "-")...)
		if status != 1 || !strings.Contains(out+errOut, "`slipway images build --recipe DIR` makes it") {
			t.Errorf("this machine's: %v: status %d\n%s%s", args, status, out, errOut)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the registry was asked %d times", n)
	}
	// The registry would have heard of another's.
	if _, _, status := command(t, "init: [\"other/init:v1\"]\n", "validate", "--mirror", "*="+registry.URL, "-"); status != 1 || asked.Load() == 0 {
		t.Errorf("another's image: status %d, asked %d times", status, asked.Load())
	}
	for _, key := range []string{"SLIPWAY_STORE", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(key, "")
	}
	for _, args := range [][]string{{"validate", "-"}, {"build", "-f", "tar", "-"}, {"images", "list", "--root", repository}} {
		out, errOut, status := command(t, own, args...)
		if status != 1 || !strings.Contains(out+errOut, "there is no local store: none of $SLIPWAY_STORE") {
			t.Errorf("%v: status %d\n%s%s", args, status, out, errOut)
		}
	}
	if _, errOut, status := command(t, own, "validate", "--no-images", "-"); status != 0 {
		t.Errorf("the text alone needs no store: status %d: %s", status, errOut)
	}
}
