package store

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/test/skip"
)

// needRoot is for tests that mount; TestMain has given the process a mount
// namespace of its own.
func needRoot(t *testing.T) {
	t.Helper()
	skip.UnlessRoot(t, "mounts")
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
	needRoot(t)
	p := testPaths(t)
	mountTmpfs(t, p.Log, 0, "size=128k")
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	text := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	write(t, w.Stdout(), text+"last words\n")
	settle(t, w)
	last, err := read.Tail(p, b.Section, b.Name, 1)
	if err != nil || len(last) != 1 || string(last[0].Text) != "last words" {
		t.Errorf("last lines are %v, %v", last, err)
	}
	if err := unix.Mount("", p.Log, "", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	write(t, w.Stdout(), "there is space again\n")
	mustClose(t, w)
	var lost, there int64
	all := lines(t, p, b)
	for _, l := range all {
		lost += l.Lost
		if l.Lost == 0 {
			there += int64(len(l.Text) + 1)
		}
	}
	// One line may be cut by the gap, and then counts a newline that it has not.
	if got, want := lost+there, int64(len(text)+11+21); lost == 0 || got < want || got > want+1 {
		t.Errorf("%d bytes are there and %d lost of %d", there, lost, want)
	}
	if got := show(all[len(all)-1]); got != "stdout there is space again" {
		t.Errorf("the last line is %q", got)
	}
	if !strings.HasSuffix(contents(t, p.Log+"/foo.out.log"), "last words\nthere is space again\n") {
		t.Error("the file does not go on")
	}
}

func lines(t *testing.T, p layout.Paths, b *bundle.Bundle) []read.Line {
	t.Helper()
	var all []read.Line
	for l, err := range read.Read(t.Context(), p, b.Section, b.Name, read.Query{}) {
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
	needRoot(t)
	p := testPaths(t)
	mountTmpfs(t, p.Log, unix.MS_RDONLY, "")
	b := testBundle(bundle.Services, "foo")
	run(t, b, testOptions(t, p), "a line\n", "")
	equal(t, "lines", texts(t, p, b, read.Query{}), []string{"stdout a line"})
}
