package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/fdstore"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/pkg/log/rotate"
	"slipway/test/mounts"
)

// asSupervisor makes the test binary, run again, a supervisor that takes over
// the log of a container and is there to be killed.
const asSupervisor = "SLIPWAY_TEST_LOG_SUPERVISOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asSupervisor); dir != "" {
		supervise(dir)
	}
	os.Exit(mounts.Run(m))
}

func killBundle() *bundle.Bundle {
	b := testBundle(bundle.Services, "victim")
	b.Policy.LogMaxSize, b.Policy.LogMaxFiles = 32<<10, 10000
	return b
}

func supervise(dir string) {
	p := layout.Paths{Run: filepath.Join(dir, "run"), Log: filepath.Join(dir, "log")}
	if _, err := Attach(killBundle(), Options{Paths: p}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// startSupervisor returns a function that kills it and sees it gone.
func startSupervisor(t *testing.T, dir string) func() {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asSupervisor+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("the supervisor ended by itself: %v", err)
		}
		if state, err := cmd.Process.Wait(); err != nil || state.Exited() {
			t.Errorf("the supervisor ended by itself: %v %v", state, err)
		}
	}
}

// TestKilledSupervisor kills the process that takes the output, at random
// moments, while the container writes: each line is there exactly once, in
// order, with files being rotated all the while.
func TestKilledSupervisor(t *testing.T) {
	kills := 100
	if n, err := strconv.Atoi(os.Getenv("SLIPWAY_TEST_KILLS")); err == nil {
		kills = n
	}
	p := testPaths(t)
	o := testOptions(t, p)
	o.Holder = testHolder(t)
	w, err := Open(killBundle(), o)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan int)
	out := w.Stdout()
	w.ends[layout.Stdout] = nil // The container's, not to be closed here.
	go writeNumbers(out, stop, done)
	abandonWith(t, w, func() {})
	for range kills {
		kill := startSupervisor(t, filepath.Dir(p.Run))
		time.Sleep(time.Duration(rand.IntN(12_000)) * time.Microsecond)
		kill()
	}
	kill := startSupervisor(t, filepath.Dir(p.Run))
	close(stop)
	lines := <-done
	kill()
	w, err = Attach(killBundle(), o)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, w)
	t.Logf("%d kills, %d lines, %d files", kills, lines, len(segmentFiles(p.Log+"/victim.out.log")))
	checkNumbers(t, segmentFiles(p.Log+"/victim.out.log"), lines)
	n := 0
	for _, line := range texts(t, p, killBundle(), read.Query{}) {
		if line != fmt.Sprintf("stdout line %d", n) {
			t.Fatalf("line %d is read as %q", n, line)
		}
		n++
	}
	if n != lines {
		t.Errorf("%d lines read of %d", n, lines)
	}
}

// abandonWith closes what a process that is killed has open, and does something
// before it gets to read.
func abandonWith(t *testing.T, w *Writer, do func()) {
	t.Helper()
	for _, s := range w.streams {
		s.spool.Lock()
	}
	do()
	errs := []error{w.Started()}
	for _, s := range w.streams {
		w.pump.remove(s)
		errs = append(errs, unix.Close(s.fifo))
		s.fifo = -1
		s.spool.Unlock()
	}
	w.closed = true
	w.settle()
	w.pump.leave(w.log, 1)
	if err := errors.Join(append(errs, w.closePump())...); err != nil {
		t.Fatal(err)
	}
}

func writeNumbers(to *os.File, stop chan struct{}, done chan int) {
	n := 0
	for ; ; n++ {
		select {
		case <-stop:
			done <- n
			to.Close()
			return
		default:
		}
		fmt.Fprintf(to, "line %d\n", n)
		if n%50 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// segmentFiles lists a log's files, oldest first.
func segmentFiles(path string) []string {
	n := 0
	for rotate.Exists(rotate.Old(path, n)) {
		n++
	}
	var all []string
	for n--; n >= 0; n-- {
		all = append(all, rotate.Old(path, n))
	}
	return append(all, path)
}

func checkNumbers(t *testing.T, files []string, want int) {
	t.Helper()
	n := 0
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); n++ {
			if lines.Text() != fmt.Sprintf("line %d", n) {
				t.Fatalf("%s: line %d is %q", name, n, lines.Text())
			}
		}
		f.Close()
	}
	if n != want {
		t.Errorf("%d lines of %d are in the files", n, want)
	}
}

// TestDeadSupervisorAndDeadContainer: nobody of those who used the pipe lives.
func TestDeadSupervisorAndDeadContainer(t *testing.T) {
	p := testPaths(t)
	o := testOptions(t, p)
	o.Holder = testHolder(t)
	b := killBundle()
	w, err := Open(b, o)
	if err != nil {
		t.Fatal(err)
	}
	abandonWith(t, w, func() { write(t, w.Stdout(), "last words\n") })
	run(t, b, o, "next run\n", "")
	got := texts(t, p, b, read.Query{Runs: read.PreviousRun})
	if strings.Join(got, "|") != "stdout last words" {
		t.Errorf("the run before has %q", got)
	}
	equal(t, "all", texts(t, p, b, read.Query{}), []string{"stdout last words", "stdout next run"})
}

// TestKilledInTheMiddleOfTheEnd: one of the two pipes is dropped already.
func TestKilledInTheMiddleOfTheEnd(t *testing.T) {
	p := testPaths(t)
	o := testOptions(t, p)
	o.Holder = testHolder(t)
	b := killBundle()
	w, err := Open(b, o)
	if err != nil {
		t.Fatal(err)
	}
	abandonWith(t, w, func() {
		write(t, w.Stderr(), "last words\n")
		at := w.log.spool.At
		if err := errors.Join(os.Remove(at.Fifo(layout.Stdout)), o.Holder.Release(at.Base(layout.Stdout))); err != nil {
			t.Error(err)
		}
	})
	if w, err = Attach(b, o); err != nil {
		t.Fatal(err)
	}
	mustClose(t, w)
	equal(t, "log", texts(t, p, b, read.Query{}), []string{"stderr last words"})
	if w, err = Attach(b, o); err != nil { // nothing is left
		t.Fatal(err)
	}
	mustClose(t, w)
}

// countingHolder knows what is held.
type countingHolder struct {
	Holder
	mu   sync.Mutex
	held map[string]bool
}

func (h *countingHolder) Hold(name string, f *os.File) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[name] = true
	return h.Holder.Hold(name, f)
}

func (h *countingHolder) Release(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, name)
	return h.Holder.Release(name)
}

// testHolder keeps pipes until the test ends, and sees that all are released.
func testHolder(t *testing.T) Holder {
	t.Helper()
	store, err := fdstore.NewStore()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- store.Serve() }()
	h := &countingHolder{Holder: fdstore.NewClient(store.Child), held: map[string]bool{}}
	t.Cleanup(func() {
		if len(h.held) > 0 {
			t.Errorf("still held: %v", h.held)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return h
}
