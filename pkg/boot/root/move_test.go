package root

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// The whole of what a file has goes along, and nothing stays behind.
func TestMoveTree(t *testing.T) {
	skip.UnlessRoot(t, "moves owners and device nodes")
	base := t.TempDir()
	from, to := filepath.Join(base, "from"), filepath.Join(base, "to")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(from, "a/b"), 0o755))
	must(os.Mkdir(to, 0o755))
	file := filepath.Join(from, "a/file")
	must(os.WriteFile(file, bytes.Repeat([]byte("content"), 100000), 0o644))
	must(os.Chown(file, 100, 200))
	must(os.Chmod(file, 0o644|os.ModeSetuid))
	old := time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
	must(os.Chtimes(file, old, old))
	must(os.Link(file, filepath.Join(from, "a/b/hard")))
	must(os.Symlink("file", filepath.Join(from, "a/link")))
	must(unix.Mknod(filepath.Join(from, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(os.Chmod(filepath.Join(from, "null"), 0o666)) // whatever the umask
	must(unix.Mkfifo(filepath.Join(from, "fifo"), 0o600))
	xattr := unix.Setxattr(file, "trusted.test", []byte("v"), 0)
	must(os.Chtimes(filepath.Join(from, "a"), old, old))
	l, err := net.Listen("unix", filepath.Join(from, "socket"))
	must(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(l.Close())

	must(moveTree(from, to))

	left, err := os.ReadDir(from)
	must(err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	var st, hard, null unix.Stat_t
	moved := filepath.Join(to, "a/file")
	must(unix.Lstat(moved, &st))
	must(unix.Lstat(filepath.Join(to, "a/b/hard"), &hard))
	must(unix.Lstat(filepath.Join(to, "null"), &null))
	if st.Uid != 100 || st.Gid != 200 || st.Mode&0o7777 != 0o4644 || st.Size != 700000 {
		t.Errorf("file has owner %d:%d, mode %o, %d bytes", st.Uid, st.Gid, st.Mode, st.Size)
	}
	if got := time.Unix(st.Mtim.Unix()).UTC(); !got.Equal(old) {
		t.Errorf("file is of %s", got)
	}
	if st.Ino != hard.Ino {
		t.Error("a hard link became a copy")
	}
	if null.Rdev != unix.Mkdev(1, 3) || null.Mode != unix.S_IFCHR|0o666 {
		t.Errorf("node has %x, mode %o", null.Rdev, null.Mode)
	}
	if target, err := os.Readlink(filepath.Join(to, "a/link")); target != "file" {
		t.Errorf("link to %q, %v", target, err)
	}
	if info, err := os.Stat(filepath.Join(to, "a")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("directory: %v, %v", info, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "socket")); !os.IsNotExist(err) {
		t.Errorf("socket: %v", err)
	}
	if xattr == nil {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(moved, "trusted.test", value); string(value[:max(n, 0)]) != "v" {
			t.Errorf("extended attribute: %q, %v", value, err)
		}
	}
}

// What is mounted below is not emptied, and nor is what lies there.
func TestEmptyKeeps(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"keep/x", "go/y/z"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("keep", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir, "keep"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "keep" {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "keep/x")); err != nil {
		t.Error(err)
	}
}

// The service program is the one that runs where the root has one for both. Nobody can
// change it, by a mount of his own neither.
func TestShareProgram(t *testing.T) {
	skip.UnlessRoot(t, "mounts")
	runtime.LockOSThread() // for good: it goes with its mounts
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
	initramfs, root := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", initramfs, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	own, service, init := filepath.Join(initramfs, "init"), filepath.Join(root, "service"), filepath.Join(root, "init")
	for _, name := range []string{own, service, init} {
		if err := os.WriteFile(name, []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	share := func(want bool) {
		t.Helper()
		got, err := shareProgram(own, service, init)
		data, readErr := os.ReadFile(service)
		if err := errors.Join(err, readErr); err != nil || got != want || want != (string(data) == own) {
			t.Fatalf("shared: %t, %q, %v; want %t", got, data, err, want)
		}
	}
	share(false)
	if err := errors.Join(os.Remove(init), os.Link(service, init)); err != nil {
		t.Fatal(err)
	}
	share(true)
	d, err := os.Open(initramfs)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := protect(d); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(theirs, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []uintptr{unix.MS_BIND, unix.MS_BIND | unix.MS_REMOUNT} { // as a runtime does for "rw"
		if err := unix.Mount(service, theirs, "", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(theirs, 0); !errors.Is(err, unix.EROFS) {
		t.Errorf("it can be changed: %v", err)
	}
	if err := errors.Join(unix.Unmount(theirs, 0), unix.Unmount(service, 0), unix.Unmount(initramfs, unix.MNT_DETACH)); err != nil {
		t.Error(err)
	}
}
