package volume

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// The first thread runs no test: its namespaces are what /proc says of this process,
// and one that a test leaves elsewhere would stay there.
func init() { runtime.LockOSThread() }

// ownMounts gives the test a mount namespace, which goes with its thread.
func ownMounts(t *testing.T) {
	t.Helper()
	skip.UnlessRoot(t, "mounts")
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// volume makes the directories that a builder makes; a file "own" is in lower.
func volume(t *testing.T, dir, name string, directories ...string) string {
	t.Helper()
	for _, f := range directories {
		if err := os.MkdirAll(filepath.Join(dir, name, f), 0o755); err != nil {
			t.Fatal(err)
		}
		if f == "lower" {
			write(t, filepath.Join(dir, name, "lower/own"), "image")
		}
	}
	return filepath.Join(dir, name)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSetup makes a writable, a read-only and a broken volume ready.
func TestSetup(t *testing.T) {
	ownMounts(t)
	dir := t.TempDir()
	// Overlay cannot lie on overlay, where test directories may be.
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	rw := volume(t, dir, "rw", "lower", "tmp", "merged")
	ro := volume(t, dir, "ro", "lower", "merged")
	broken := volume(t, dir, "broken", "tmp", "merged")
	err := Setup(dir)
	if err == nil || !strings.Contains(err.Error(), "volume broken: ") || strings.Contains(err.Error(), "volume r") {
		t.Errorf("got %v, want a fault of the broken one alone", err)
	}
	write(t, filepath.Join(rw, "merged/own"), "changed")
	write(t, filepath.Join(rw, "merged/new"), "new")
	if got := read(t, filepath.Join(rw, "merged/own")) + " " + read(t, filepath.Join(rw, "lower/own")); got != "changed image" {
		t.Errorf("merged and lower hold %q", got)
	}
	if got := read(t, filepath.Join(ro, "merged/own")); got != "image" {
		t.Errorf("the read-only one holds %q", got)
	}
	if err := os.WriteFile(filepath.Join(ro, "merged/new"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("writing to the read-only one: %v", err)
	}
	if left := read(t, "/proc/self/mountinfo"); strings.Contains(left, broken) {
		t.Errorf("the broken one left mounts:\n%s", left)
	}
}

func TestNoVolumes(t *testing.T) {
	if err := Setup(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
}
