package oci

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/tree"
	"slipway/test/testimage"
)

// keptLayers lists what a store keeps unpacked.
func keptLayers(t *testing.T, l *Layout) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.Dir(), unpackedDirectory, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// hello lays the image's layers and reads its one file.
func hello(t *testing.T, l *Layout) string {
	t.Helper()
	img, err := l.Get("test/hello:1", v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	content, err := img.Tree(t.Context(), tree.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(content.Lookup("hello").Inode.Open())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Tests run on disks that are full, too. Before the first of them: goroutines read it.
func init() { keepFree = math.MaxUint64 }

// TestUnpacked keeps a layer, uses it, and does without it when it is damaged
// or cannot be kept.
func TestUnpacked(t *testing.T) {
	l := OpenLayout(t.TempDir(), true)
	content := tarOf(t, map[string]string{"hello": "world"})
	if err := l.Put("test/hello:1", testimage.Of(t, "amd64", v1.Config{}, content), nil); err != nil {
		t.Fatal(err)
	}
	if got := hello(t, l); got != "world" {
		t.Fatalf("hello %q", got)
	}
	kept := keptLayers(t, l)
	if len(kept) != 1 {
		t.Fatalf("kept %v, want one layer", kept)
	}
	// It is used: a file of the same content and another time is the same file.
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(kept[0], long, long); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := hello(t, l); got != "world" {
		t.Errorf("from the kept layer: hello %q", got)
	}
	if after, err := os.Stat(kept[0]); err != nil || !os.SameFile(before, after) || !after.ModTime().After(long) {
		t.Errorf("the kept layer was not used: %v, %v", after, err)
	}
	// One that lost its content, as after a power cut, is unpacked anew.
	if err := os.WriteFile(kept[0], make([]byte, len(content)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := hello(t, l); got != "world" {
		t.Errorf("with a damaged kept layer: hello %q", got)
	}
	if data, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(data, content) {
		t.Errorf("the damaged layer was not replaced: %d bytes, %v", len(data), err)
	}
	// No place to keep anything.
	if err := os.RemoveAll(filepath.Dir(kept[0])); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(kept[0]), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := hello(t, l); got != "world" {
		t.Errorf("with no place to keep it: hello %q", got)
	}
	// A layout that is not one's own is left alone.
	foreign := OpenLayout(l.Dir(), false)
	if got := hello(t, foreign); got != "world" {
		t.Errorf("from a layout of others: hello %q", got)
	}
}

func TestPruneUnpacked(t *testing.T) {
	u := unpacked{t.TempDir()}
	for i, name := range []string{"old", "newer", "newest"} {
		file := filepath.Join(u.dir, name)
		if err := os.WriteFile(file, make([]byte, 100), 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-3) * time.Hour)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	u.touch(v1.Hash{Hex: "old"})
	u.prune(250)
	for name, want := range map[string]bool{"old": true, "newer": false, "newest": true} {
		if _, err := os.Stat(filepath.Join(u.dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
}
