package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

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
