package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/images"
	"slipway/pkg/build/oci"
)

// TestOutside: the recipes are there in any directory, and nothing stays of them.
func TestOutside(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("SLIPWAY_ROOT", "")
	storeOf(t)
	t.Chdir(t.TempDir())
	out, errOut, status := command(t, "", "images", "list", "--json")
	var list []images.Status
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != 0 {
		t.Fatalf("status %d, %v\n%s", status, err, errOut)
	}
	have := map[string]images.State{}
	for _, s := range list {
		have[s.Name] = s.State
	}
	if have["slipway/init:"+images.Tag] != images.Missing || have["slipway/testinit:"+images.Tag] != "" {
		t.Errorf("images %v", have)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestToolsMissing: a machine with none of the programs that recipes take is told what
// to do, once; and it takes images that are made.
func TestToolsMissing(t *testing.T) {
	storeOf(t, "init", "runc@amd64")
	t.Chdir(t.TempDir())
	if _, errOut, status := command(t, "", "images", "export", "all.tar", "--platform", "linux/amd64"); status != 0 {
		t.Fatal(errOut)
	}
	t.Setenv("PATH", "")
	t.Setenv("SLIPWAY_ROOT", "")
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	for arg, want := range map[string]string{
		"getty": "\tapt-get, of Debian's package apt\n\tdpkg-deb, of Debian's package dpkg\nour images are made of Debian's packages: build them on Debian",
		"init":  "\tgo, of Debian's package golang",
	} {
		_, errOut, status := command(t, "", "images", "build", arg)
		if status != 1 || !strings.Contains(errOut, want) || strings.Count(errOut, "slipway images import FILE.tar") != 1 {
			t.Errorf("%s: status %d\n%s", arg, status, errOut)
		}
	}
	out, errOut, status := command(t, "", "images", "import", "all.tar")
	if want := "slipway/init:" + images.Tag + "\nslipway/runc:" + images.Tag + "\n"; status != 0 || out != want {
		t.Fatalf("status %d, %q\n%s", status, out, errOut)
	}
	out, errOut, status = command(t, "", "images", "list", "--platform", "linux/amd64")
	if status != 0 || strings.Count(out, string(images.Imported)) != 2 {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if _, err := oci.OpenStore().Get("slipway/runc:"+images.Tag, v1.Platform{OS: "linux", Architecture: "amd64"}); err != nil {
		t.Error(err)
	}
}

// TestImportRefused leaves nothing in the store.
func TestImportRefused(t *testing.T) {
	storeOf(t, "init")
	t.Chdir(t.TempDir())
	if err := oci.OpenLayout("other", false).Put("other/app:1", testImage(t, runtime.GOARCH), nil); err != nil {
		t.Fatal(err)
	}
	if err := oci.OpenLayout("fetched", false).Put("slipway/init:v0.1", testImage(t, runtime.GOARCH), map[string]string{oci.FetchedAnnotation: "docker.io"}); err != nil {
		t.Fatal(err)
	}
	if err := oci.OpenLayout("damaged", false).Put("slipway/init:v0.1", testImage(t, runtime.GOARCH), nil); err != nil {
		t.Fatal(err)
	}
	damage(t, "damaged")
	store := t.TempDir()
	t.Setenv("SLIPWAY_STORE", store)
	for path, want := range map[string]string{
		"other": "none of slipway/ is in it", "fetched": "none of slipway/ is in it", "none": "no such file", "damaged": "its content has the digest",
	} {
		_, errOut, status := command(t, "", "images", "import", path)
		if status != 1 || !strings.Contains(errOut, "import images from "+path) || !strings.Contains(errOut, want) {
			t.Errorf("%s: status %d\n%s", path, status, errOut)
		}
		if items, err := oci.OpenStore().List(); err != nil || len(items) > 0 {
			t.Errorf("%s: the store has %v, %v", path, items, err)
		}
	}
}

// damage changes a byte of the first layer in a layout.
func damage(t *testing.T, layout string) {
	t.Helper()
	img, err := oci.OpenLayout(layout, false).Get("slipway/init:v0.1", v1.Platform{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(layout, "blobs", "sha256", img.Manifest.Layers[0].Digest.Hex)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	writeFile(t, file, string(data))
}
