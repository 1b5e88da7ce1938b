package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/console"
	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/pkg/log/spool"
	"slipway/test/heap"
	"slipway/test/poll"
)

func TestRotationCutsBetweenLines(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	b.Policy.LogMaxSize, b.Policy.LogMaxFiles = 100, 3
	w := mustOpen(t, b, o)
	for i := range 40 {
		write(t, w.Stdout(), fmt.Sprintf("this is line %02d\n", i)) // 16 bytes
	}
	mustClose(t, w)
	files := segmentFiles(p.Log + "/foo.out.log")
	if len(files) != 4 {
		t.Errorf("files are %q", files)
	}
	n := 40 - 4 - 3*6
	for _, name := range files {
		text := contents(t, name)
		if len(text) > 100 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s has %d bytes: %q", name, len(text), text)
		}
		for line := range strings.Lines(text) {
			if want := fmt.Sprintf("this is line %02d\n", n); line != want {
				t.Fatalf("%q, want %q", line, want)
			}
			n++
		}
	}
	if n != 40 {
		t.Errorf("the last line is %d", n-1)
	}
	if got := texts(t, p, b, read.Query{}); len(got) != 22 || got[0] != "stdout this is line 18" {
		t.Errorf("%d lines are read from %q on", len(got), got[0])
	}
}

func TestNoRotatedFiles(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	b.Policy.LogMaxSize, b.Policy.LogMaxFiles = 10, 0
	run(t, b, o, "123456789\nabc\n", "")
	equal(t, "files", segmentFiles(p.Log+"/foo.out.log"), []string{p.Log + "/foo.out.log"})
	if got := contents(t, p.Log+"/foo.out.log"); got != "abc\n" {
		t.Errorf("file has %q", got)
	}
}

func TestWhateverAContainerWrites(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		text string
		want func(lines []string) error
	}{
		"a line of 1 MiB": {long + "\nafter\n", func(l []string) error {
			if len(l) != 65 || l[64] != "stdout after" || !strings.HasSuffix(l[0], "x...") {
				return fmt.Errorf("%d pieces", len(l))
			}
			return nil
		}},
		"no newline": {"abc", func(l []string) error {
			if len(l) != 1 || l[0] != "stdout abc" {
				return fmt.Errorf("%q", l)
			}
			return nil
		}},
		"nul and invalid UTF-8": {"a\x00b\xff\n\n\x1b[2J\n", func(l []string) error {
			if len(l) != 3 || l[0] != "stdout a\x00b\xff" || l[1] != "stdout " {
				return fmt.Errorf("%q", l)
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := testPaths(t)
			b := testBundle(bundle.Services, "foo")
			b.Policy.LogMaxSize = 2 << 20
			run(t, b, testOptions(t, p), c.text, "")
			if got := contents(t, p.Log+"/foo.out.log"); got != c.text {
				t.Errorf("the file has %d bytes that differ", len(got))
			}
			if err := c.want(texts(t, p, b, read.Query{})); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEndlessLine: a line that never ends takes no more memory or disk than
// lines do, wherever it goes.
func TestEndlessLine(t *testing.T) {
	for _, to := range []bundle.LogTarget{bundle.LogFile, bundle.LogConsole, bundle.LogKmsg} {
		t.Run(string(to), func(t *testing.T) {
			p := testPaths(t)
			if err := os.WriteFile(p.Kmsg, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
			b.Policy.Log, o.Console = to, console.New()
			w := mustOpen(t, b, o)
			before := heap.InUse()
			part := bytes.Repeat([]byte{'x', 0}, 32<<10)
			for range 256 { // 16 MiB
				if _, err := w.Stdout().Write(part); err != nil {
					t.Fatal(err)
				}
			}
			poll.Until(t, "all is taken", func() bool { return queued(t, w.streams[0]) == 0 })
			if grown := heap.InUse() - before; grown > 1<<20 {
				t.Errorf("memory grew by %d bytes", grown)
			}
			kept := allocated(t, w.plan.at.Spool(layout.Stdout))
			if to == bundle.LogFile {
				for _, name := range segmentFiles(w.plan.at.File(layout.Stdout)) {
					kept += allocated(t, name)
				}
			}
			if kept == 0 || kept > 12<<20 || to != bundle.LogFile && kept > 3*64<<10 {
				t.Errorf("%d bytes are kept", kept)
			}
			last, err := read.Tail(p, b.Section, b.Name, 1)
			if err != nil || len(last) != 1 || len(last[0].Text) == 0 || len(last[0].Text) > 16<<10 {
				t.Errorf("%d last lines, %v", len(last), err)
			}
		})
	}
}

// allocated is what a file takes.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// TestStorm: memory does not grow with what is written, the disk is bounded,
// and a container that writes little is not delayed by one that writes much.
func TestStorm(t *testing.T) {
	p := testPaths(t)
	o := testOptions(t, p)
	pump, err := NewPump(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	o.Pump = pump
	big := mustOpen(t, testBundle(bundle.Services, "big"), o)
	small := mustOpen(t, testBundle(bundle.Services, "small"), o)
	t.Cleanup(func() {
		mustClose(t, big)
		mustClose(t, small)
		if err := pump.Close(); err != nil {
			t.Error(err)
		}
	})
	before := heap.InUse()
	line := bytes.Repeat([]byte("0123456789abcde\n"), 4096)
	for i := range 512 { // 32 MiB, three times what the disk may hold
		if _, err := big.Stdout().Write(line); err != nil {
			t.Fatal(err)
		}
		if i == 256 {
			write(t, small.Stdout(), "here\n")
			poll.Until(t, "the small line is there", func() bool { return contents(t, p.Log+"/small.out.log") == "here\n" })
		}
	}
	if grown := heap.InUse() - before; grown > 1<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	var disk int64
	for _, name := range segmentFiles(p.Log + "/big.out.log") {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		disk += info.Size()
	}
	if disk > 11<<20 {
		t.Errorf("%d bytes on disk", disk)
	}
	mustClose(t, big)
	for _, l := range lines(t, p, testBundle(bundle.Services, "big")) {
		if l.Lost > 0 {
			t.Errorf("%d bytes lost", l.Lost)
		}
	}
}

func TestFollow(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	b.Policy.LogMaxSize, b.Policy.LogMaxFiles = 4<<10, 100
	run(t, b, o, "before\n", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var got []string
	ended := make(chan error, 1)
	go func() {
		for l, err := range read.Read(ctx, p, b.Section, b.Name, read.Query{Follow: true, Tail: 1}) {
			if err != nil {
				ended <- err
				return
			}
			mu.Lock()
			got = append(got, show(l))
			mu.Unlock()
		}
		ended <- nil
	}()
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(got) }
	poll.Until(t, "the line before is there", func() bool { return count() == 1 })
	var want []string
	want = append(want, "stdout before")
	for life := range 3 {
		w := mustOpen(t, b, o)
		for i := range 1000 {
			line := fmt.Sprintf("life %d line %d", life, i)
			write(t, w.Stdout(), line+"\n")
			want = append(want, "stdout "+line)
		}
		mustClose(t, w)
	}
	poll.Until(t, "all lines are there", func() bool { return count() >= len(want) })
	cancel()
	if err := poll.For(t, "the reader ends", ended); err != nil {
		t.Error(err)
	}
	equal(t, "followed", got, want)
}

// TestIndexRotation: what was recorded long ago is read without its time.
func TestIndexRotation(t *testing.T) {
	p := testPaths(t)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	settle(t, w)
	small, err := index.Open(w.plan.at.Index(), 40*24)
	if err := errors.Join(err, w.log.carry.files.ix.Close()); err != nil {
		t.Fatal(err)
	}
	w.log.carry.files.ix = small
	var want []string
	for i := range 200 {
		write(t, w.Stdout(), fmt.Sprintf("%d\n", i))
		settle(t, w)
		want = append(want, fmt.Sprintf("stdout %d", i))
	}
	equal(t, "lines", texts(t, p, b, read.Query{}), want)
	mustClose(t, w)
	run(t, b, testOptions(t, p), "next\n", "")
	equal(t, "lines", texts(t, p, b, read.Query{}), append(want, "stdout next"))
	if err := os.Remove(p.Log + "/slipway/foo.idx.0"); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	equal(t, "lines", texts(t, p, b, read.Query{}), append(want, "stdout next"))
}

// settle waits until what was written is in the files.
func settle(t *testing.T, w *Writer) {
	t.Helper()
	for _, s := range w.streams {
		poll.Until(t, "all is taken", func() bool {
			s.spool.Lock() // so what has left the pipe is in memory
			defer s.spool.Unlock()
			return queued(t, s) == 0
		})
	}
	poll.For(t, "the files are brought up", w.log.carry.lane.settled(w.log.carry))
}

func TestLogWithoutIndex(t *testing.T) {
	p := testPaths(t)
	for name, text := range map[string]string{"foo.out.log": "new\n", "foo.out.log.0": "old\n", "foo.log": "err"} {
		if err := os.WriteFile(p.Log+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := testBundle(bundle.Services, "foo")
	equal(t, "lines", texts(t, p, b, read.Query{}), []string{"stdout old", "stdout new", "stderr err"})
	run(t, b, testOptions(t, p), "ours\n", "")
	got := texts(t, p, b, read.Query{})
	if got[len(got)-1] != "stdout ours" || !strings.Contains(strings.Join(got, "|"), "stdout new") {
		t.Errorf("lines are %q", got)
	}
}

func TestSomebodyEmptiesTheFile(t *testing.T) {
	p := testPaths(t)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	write(t, w.Stdout(), "one\ntwo\n")
	settle(t, w)
	if err := os.Truncate(p.Log+"/foo.out.log", 0); err != nil {
		t.Fatal(err)
	}
	write(t, w.Stdout(), "three\n")
	mustClose(t, w)
	if got := contents(t, p.Log+"/foo.out.log"); got != "three\n" {
		t.Errorf("file has %q", got)
	}
	equal(t, "lines", texts(t, p, b, read.Query{}), []string{"stdout three"})
}

func TestDaemonLeftBehindDoesNotHoldUpTheEnd(t *testing.T) {
	p := testPaths(t)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	daemon := w.Stdout()
	w.ends[layout.Stdout] = nil
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := daemon.WriteString("still here\n"); err != nil {
				return
			}
		}
	}()
	closed := make(chan error, 1)
	go func() { closed <- w.Close() }()
	if err := poll.For(t, "close waits for no daemon", closed); err != nil {
		t.Error(err)
	}
	close(stop)
	// The writer may wait at a pipe that nobody empties any more.
	other, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", daemon.Fd()), unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	buf := make([]byte, spool.Chunk)
	poll.Until(t, "the writer ends", func() bool {
		if _, err := unix.Read(other, buf); err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	})
}
