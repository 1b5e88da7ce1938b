package logs

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
)

// inOwnMounts gives the test's thread, and the children of the test, a mount
// namespace of their own; the thread ends with the test.
func inOwnMounts(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small tmpfs takes root")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

func mountTmpfs(t *testing.T, dir string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, data); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDisk: the container goes on, what could not be stored is counted to
// the byte, its end is there for the report, and storing goes on by itself.
func TestFullDisk(t *testing.T) {
	inOwnMounts(t)
	p := testPaths(t)
	mountTmpfs(t, p.Log, 0, "size=128k")
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	// All by this thread: the pump's thread is not in this mount namespace, but
	// works on files that this one has opened.
	text := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	write(t, w.Stdout(), text+"last words\n")
	until(t, "all is taken", func() bool { return queued(t, w.streams[0]) == 0 })
	stored := len(contents(t, p.Log+"/foo.out.log"))
	if got := stored + int(w.Lost()); got != len(text)+11 || w.Lost() == 0 {
		t.Fatalf("%d stored and %d lost of %d", stored, w.Lost(), len(text)+11)
	}
	last, err := w.Tail(1)
	if err != nil || len(last) != 1 || string(last[0].Text) != "last words" {
		t.Errorf("last lines are %v, %v", last, err)
	}
	lost := w.Lost()
	if err := unix.Mount("", p.Log, "", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	write(t, w.Stdout(), "there is space again\n")
	mustClose(t, w)
	var told int64
	var after []string
	for _, l := range lines(t, p, b) {
		if l.Lost > 0 {
			told += l.Lost
		}
		if string(l.Text) == "there is space again" {
			after = append(after, show(l))
		}
	}
	if told != lost || len(after) != 1 {
		t.Errorf("the log tells of %d lost bytes of %d, and has %q", told, lost, after)
	}
}

func lines(t *testing.T, p Paths, b *bundle.Bundle) []Line {
	t.Helper()
	var all []Line
	for l, err := range Read(t.Context(), p, b.Section, b.Name, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func queued(t *testing.T, s *stream) int {
	t.Helper()
	n, err := unix.IoctlGetInt(s.fifo, unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReadOnlyLog: the container's output is kept in memory.
func TestReadOnlyLog(t *testing.T) {
	inOwnMounts(t)
	p := testPaths(t)
	mountTmpfs(t, p.Log, unix.MS_RDONLY, "")
	b := testBundle(bundle.Services, "foo")
	run(t, b, testOptions(t, p), "a line\n", "")
	equal(t, "lines", texts(t, p, b, Query{}), []string{"stdout a line"})
}
