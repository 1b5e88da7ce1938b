package store

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/test/poll"
	"slipway/test/skip"
)

// FIFREEZE and FITHAW of linux/fs.h.
const fifreeze, fithaw = 0xC0045877, 0xC0045878

// slowDisk is a filesystem on a loop device that can be made to take nothing.
type slowDisk struct {
	t      *testing.T
	dir    *os.File
	frozen bool
}

func mountDisk(t *testing.T, dir string) *slowDisk {
	t.Helper()
	needRoot(t)
	image := filepath.Join(t.TempDir(), "image")
	for _, c := range [][]string{{"truncate", "-s", "32M", image}, {"/sbin/mkfs.ext4", "-q", image}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		skip.Test(t, skip.LoopDevice, "a disk to freeze: ", err, ": ", string(out))
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &slowDisk{t: t, dir: f}
	t.Cleanup(func() {
		d.thaw()
		f.Close()
		poll.Until(t, "the disk can be unmounted", func() bool { return unix.Unmount(dir, 0) == nil })
	})
	return d
}

func (d *slowDisk) freeze() {
	d.t.Helper()
	if err := unix.IoctlSetInt(int(d.dir.Fd()), fifreeze, 0); err != nil {
		d.t.Fatal(err)
	}
	d.frozen = true
}

func (d *slowDisk) thaw() {
	d.t.Helper()
	if !d.frozen {
		return
	}
	d.frozen = false
	if err := unix.IoctlSetInt(int(d.dir.Fd()), fithaw, 0); err != nil {
		d.t.Error(err)
	}
}

// words are what people were told.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *words) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), what)
}

// soon fails if f takes as long as a disk that hangs.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	poll.For(t, what+" waits for no disk", done)
}

// TestHungDisk: a disk that takes nothing holds up no other container, not the
// end and the next start of its own, and no reader for long; people are told
// once, and when it goes on each line is there once.
func TestHungDisk(t *testing.T) {
	p := testPaths(t)
	disk := mountDisk(t, p.Log)
	told := &words{}
	o := Options{Paths: p, Log: slog.New(slog.NewTextHandler(told, nil))}
	pump, err := NewPump(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	o.Pump = pump
	onDisk, inMemory := testBundle(bundle.Services, "disk"), testBundle(bundle.Services, "memory")
	inMemory.Policy.Log = bundle.LogConsole
	w, other := mustOpen(t, onDisk, o), mustOpen(t, inMemory, o)
	write(t, w.Stdout(), "before\n")
	settle(t, w)
	disk.freeze()
	write(t, w.Stdout(), "to a disk that hangs\n")
	write(t, other.Stdout(), "flows\n")
	poll.Until(t, "output of others is taken", func() bool {
		return strings.Join(texts(t, p, inMemory, read.Query{}), "") == "stdout flows"
	})
	poll.Until(t, "people are told", func() bool {
		return told.count("container=disk file="+p.Log+"/disk.out.log disk=\"/dev/loop") == 1
	})
	soon(t, "another start", func() { run(t, testBundle(bundle.Services, "third"), o, "third\n", "") })
	last := []string(nil)
	soon(t, "the report of a failure", func() { last = tail(t, p, onDisk) })
	equal(t, "last lines", last, []string{"stdout before", "stdout to a disk that hangs"})
	soon(t, "the stop of its container", func() { mustClose(t, w) })
	soon(t, "its next start", func() { w = mustOpen(t, onDisk, o) })
	for i := range 1000 {
		write(t, w.Stdout(), fmt.Sprintf("line %d\n", i))
	}
	poll.Until(t, "its output is taken", func() bool { return queued(t, w.streams[0]) == 0 })
	disk.thaw()
	settle(t, w)
	poll.Until(t, "people are told of the end", func() bool { return told.count("disk takes logs again") == 1 })
	want := []string{"stdout before", "stdout to a disk that hangs"}
	for i := range 1000 {
		want = append(want, fmt.Sprintf("stdout line %d", i))
	}
	equal(t, "log", texts(t, p, onDisk, read.Query{}), want)
	if n := strings.Count(contents(t, p.Log+"/disk.out.log"), "\n"); n != 1000 {
		t.Errorf("the file of the run has %d lines", n)
	}
	if n := strings.Count(contents(t, p.Log+"/disk.out.log.0"), "\n"); n != 2 {
		t.Errorf("the file of the run before has %d lines", n)
	}
	equal(t, "third", texts(t, p, testBundle(bundle.Services, "third"), read.Query{}), []string{"stdout third"})
	if n := told.count("disk takes nothing"); n != 2 { // disk and third
		t.Errorf("people are told %d times", n)
	}
	mustClose(t, w)
	mustClose(t, other)
	poll.Until(t, "all is closed", func() bool { pump.mu.Lock(); defer pump.mu.Unlock(); return len(pump.logs) == 0 })
	if err := pump.Close(); err != nil {
		t.Error(err)
	}
}

func tail(t *testing.T, p layout.Paths, b *bundle.Bundle) (all []string) {
	lines, err := read.Tail(p, b.Section, b.Name, 10)
	if err != nil {
		t.Error(err)
	}
	for _, l := range lines {
		all = append(all, show(l))
	}
	return all
}

// TestManyLogsOnAHungDisk: they cost one thread, and what they write more than
// memory keeps is counted.
func TestManyLogsOnAHungDisk(t *testing.T) {
	p := testPaths(t)
	disk := mountDisk(t, p.Log)
	o := Options{Paths: p}
	pump, err := NewPump(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Pump = pump
	disk.freeze()
	threads := threadsNow(t)
	var all []*Writer
	for i := range 100 {
		w := mustOpen(t, testBundle(bundle.Services, fmt.Sprint("service", i)), o)
		write(t, w.Stdout(), "started\n")
		all = append(all, w)
	}
	long := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	soon(t, "a container that writes much", func() { write(t, all[0].Stdout(), long) })
	for _, w := range all {
		poll.Until(t, "its output is taken", func() bool { return queued(t, w.streams[0]) == 0 })
	}
	if n := threadsNow(t) - threads; n > 10+runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads more", n)
	}
	disk.thaw()
	for i, w := range all {
		mustClose(t, w)
		b := testBundle(bundle.Services, fmt.Sprint("service", i))
		var lost, there int64
		for _, l := range lines(t, p, b) {
			lost += l.Lost
			if l.Lost == 0 {
				there += int64(len(l.Text) + 1)
			}
		}
		want := int64(8)
		if i == 0 {
			want += int64(len(long))
		}
		if got := lost + there; got < want || got > want+1 || (lost > 0) != (i == 0) {
			t.Errorf("%s: %d bytes are there and %d lost of %d", b.Name, there, lost, want)
		}
	}
	if err := pump.Close(); err != nil {
		t.Error(err)
	}
}

func threadsNow(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
