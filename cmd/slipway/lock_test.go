package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
	"slipway/test/testimage"
)

// fileImage is an image for amd64 with one file, /f, in a layer that is a plain tar.
func fileImage(t *testing.T, text string) v1.Image {
	t.Helper()
	header := make([]byte, 512)
	copy(header, "f")
	copy(header[100:], "0000644\x000000000\x000000000\x00")
	copy(header[124:], fmt.Sprintf("%011o\x00%011o\x00", len(text), 0))
	copy(header[148:], "        0")
	copy(header[257:], "ustar\x0000")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	tar := append(header, make([]byte, (len(text)+511)/512*512+1024)...)
	copy(tar[512:], text)
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(tar, types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return testimage.For(t, img, "amd64", nil)
}

func digestOf(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// putOwn makes an image of ours what its name means in the store.
func putOwn(t *testing.T, name string, img v1.Image) {
	t.Helper()
	if err := oci.OpenStore().Put(name, img, map[string]string{oci.InputsAnnotation: "x"}); err != nil {
		t.Fatal(err)
	}
}

// slip runs a command that has to end with a status, and returns what it said.
func slip(t *testing.T, status int, args ...string) string {
	t.Helper()
	out, errOut, got := command(t, "", args...)
	if got != status {
		t.Fatalf("%v: status %d, want %d\n%s%s", args, got, status, out, errOut)
	}
	return out + errOut
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wants looks for texts in what was said.
func wants(t *testing.T, said string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("nothing of %q in\n%s", text, said)
		}
	}
}

// build builds m.yml and gives the sum of what came out.
func sumOf(t *testing.T, args ...string) (sum, said string) {
	t.Helper()
	said = slip(t, 0, append([]string{"build", "--arch", "amd64", "-o", "m.tar", "--no-sbom"}, append(args, "m.yml")...)...)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, "m.tar")))), said
}

// TestLock takes what is locked when names mean something else, says so, and takes that
// after an update.
func TestLock(t *testing.T) {
	inStore(t)
	one, two := fileImage(t, "one"), fileImage(t, "two")
	putOwn(t, "slipway/init:v0.1", one)
	writeFile(t, "m.yml", "init: [\"slipway/init:v0.1\"]\n")
	first, said := sumOf(t, "--lock")
	wants(t, said, "m.lock")
	locked := read(t, "m.lock")
	wants(t, locked, "\nversion: 1\nimages:\n  linux/amd64:\n    slipway/init:v0.1: "+digestOf(t, one)+"\n")

	putOwn(t, "slipway/init:v0.1", two)
	for _, args := range [][]string{nil, {"--lock"}, {"--offline"}, {"--pull"}} {
		sum, said := sumOf(t, args...)
		if sum != first {
			t.Errorf("%v: another image than the locked one", args)
		}
		wants(t, said, "slipway/init:v0.1 has moved: m.lock locks it to "+digestOf(t, one)[:19]+", by its name it is "+digestOf(t, two)[:19]+" now; `slipway images update m.yml` takes that")
		if read(t, "m.lock") != locked {
			t.Errorf("%v: the lock file has changed", args)
		}
	}
	slip(t, 0, "validate", "--errors-only", "--arch", "amd64", "m.yml")
	wants(t, slip(t, 0, "images", "update", "m.yml"), "linux/amd64: slipway/init:v0.1 has moved from "+digestOf(t, one)+" to "+digestOf(t, two))
	wants(t, slip(t, 0, "images", "update", "m.yml"), "m.lock is up to date")
	if sum, said := sumOf(t); sum == first || strings.Contains(said, "has moved") {
		t.Errorf("after the update: %s", said)
	}
	// Two images, then one again.
	putOwn(t, "slipway/runc:v0.1", one)
	writeFile(t, "m.yml", "init: [\"slipway/init:v0.1\", \"slipway/runc:v0.1\"]\n")
	wants(t, slip(t, 1, "build", "--arch", "amd64", "m.yml"), "m.yml:1:29: init[1]: slipway/runc:v0.1 is not in m.lock for linux/amd64: `slipway build --lock` adds it")
	sumOf(t, "--lock")
	sumOf(t)
	writeFile(t, "m.yml", "init: [\"slipway/runc:v0.1\"]\n")
	wants(t, slip(t, 0, "images", "update", "m.yml"), "slipway/init:v0.1 is not named any more")
	if left, err := filepath.Glob(".*"); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestLockKeepsOthers has the digests of another platform, and of the EFI stub, stay.
func TestLockKeepsOthers(t *testing.T) {
	inStore(t)
	putOwn(t, "slipway/init:v0.1", fileImage(t, "one"))
	putOwn(t, "slipway/efi-stub:v0.1", fileImage(t, "stub"))
	writeFile(t, "m.yml", "init: [\"slipway/init:v0.1\"]\n")
	sum := "sha256:" + strings.Repeat("0", 64)
	writeFile(t, "m.lock", "version: 1\nimages:\n  linux/arm64: {\"slipway/init:v0.1\": \""+sum+"\"}\n  linux/amd64: {\"slipway/efi-stub:v0.1\": \""+digestOf(t, fileImage(t, "stub"))+"\"}\n")
	wants(t, slip(t, 1, "build", "--arch", "amd64", "m.yml"), "is not in m.lock for linux/amd64")
	sumOf(t, "--lock")
	wants(t, read(t, "m.lock"), "linux/arm64:\n    slipway/init:v0.1: "+sum, "slipway/efi-stub:v0.1: ", "slipway/init:v0.1: "+digestOf(t, fileImage(t, "one")))
	// The locked one for arm64 is nowhere.
	said := slip(t, 1, "build", "--arch", "arm64", "m.yml")
	wants(t, said, "m.lock locks slipway/init:v0.1 to "+sum+": ")
	// One platform cannot be renewed: nothing is.
	before := read(t, "m.lock")
	putOwn(t, "slipway/init:v0.1", fileImage(t, "two"))
	slip(t, 1, "images", "update", "m.yml")
	if read(t, "m.lock") != before {
		t.Error("an update that failed has changed the lock file")
	}
	putOwn(t, "slipway/efi-stub:v0.1", fileImage(t, "newer stub"))
	wants(t, slip(t, 0, "images", "update", "--arch", "amd64", "m.yml"), "slipway/init:v0.1 has moved", "slipway/efi-stub:v0.1 has moved")
	wants(t, read(t, "m.lock"), "linux/arm64:\n    slipway/init:v0.1: "+sum)
}

// TestLockRefused leaves no lock file, or the one that was there.
func TestLockRefused(t *testing.T) {
	inStore(t)
	putOwn(t, "slipway/init:v0.1", fileImage(t, "one"))
	writeFile(t, "m.yml", "init: [\"slipway/init:v0.1\", \"slipway/none:v0.1\"]\n")
	slip(t, 1, "build", "--arch", "amd64", "--lock", "m.yml")
	slip(t, 1, "images", "update", "--arch", "amd64", "m.yml")
	slip(t, 2, "build", "--lock", "-")
	slip(t, 2, "images", "update", "-")
	slip(t, 2, "images", "update")
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("left beside the YAML: %v, %v", entries, err)
	}
	writeFile(t, "m.lock", "version: 1\nimages: {linux/amd64: {\"slipway/init:v0.1\": sha256:12}}\n")
	for _, args := range [][]string{{"build", "m.yml"}, {"build", "--lock", "m.yml"}, {"validate", "m.yml"}, {"images", "update", "m.yml"}} {
		wants(t, slip(t, 1, args...), "read lock file m.lock: images: linux/amd64: slipway/init:v0.1: is \"sha256:12\"")
	}
}

// pushTo makes an image what a tag means in a registry.
func pushTo(t *testing.T, ref string, img v1.Image) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err == nil {
		err = remote.Write(r, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLockElsewhere builds from a registry with an empty store, when the tag has moved
// there; then with a byte changed in the store.
func TestLockElsewhere(t *testing.T) {
	host := goRegistry(t)
	inStore(t)
	one, two := fileImage(t, "one"), fileImage(t, "two")
	pushTo(t, host+"/team/app:1", one)
	writeFile(t, "m.yml", "init: [\"acme/app:1\"]\n")
	rename := []string{"--rename", "acme=" + host + "/team"}
	first, _ := sumOf(t, append(rename, "--lock")...)
	wants(t, read(t, "m.lock"), "acme/app:1: "+digestOf(t, one))
	pushTo(t, host+"/team/app:1", two)
	t.Setenv("SLIPWAY_STORE", filepath.Join(t.TempDir(), "store"))
	sum, said := sumOf(t, rename...)
	if sum != first || strings.Contains(said, "has moved") {
		t.Errorf("not what is locked: %s", said)
	}
	if sum, said = sumOf(t, append(rename, "--pull")...); sum != first {
		t.Error("with --pull: not what is locked")
	}
	wants(t, said, "acme/app:1 has moved: m.lock locks it to "+digestOf(t, one)[:19]+", by its name it is "+digestOf(t, two)[:19])

	layers, err := one.Layers()
	if err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(oci.StoreDir(), "blobs", strings.ReplaceAll(digestOf(t, layers[0]), ":", "/"))
	data := []byte(read(t, blob))
	if at := bytes.Index(data, []byte("one")); at > 0 {
		data[at] = 'O'
	}
	writeFile(t, blob, string(data))
	if err := os.Remove("m.tar"); err != nil {
		t.Fatal(err)
	}
	wants(t, slip(t, 1, append(append([]string{"build", "--offline", "--arch", "amd64", "-o", "m.tar"}, rename...), "m.yml")...), "acme/app:1", "its content has")
	if _, err := os.Stat("m.tar"); err == nil {
		t.Error("a changed byte was built in")
	}
	if sum, _ := sumOf(t, rename...); sum != first {
		t.Error("fetched again: not what is locked")
	}
	wants(t, slip(t, 0, append(append([]string{"images", "update"}, rename...), "m.yml")...), "acme/app:1 has moved from "+digestOf(t, one)+" to "+digestOf(t, two))
	if sum, _ := sumOf(t, append(rename, "--offline")...); sum == first {
		t.Error("after the update: still what was locked before")
	}
}
