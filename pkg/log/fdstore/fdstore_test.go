package fdstore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/fdclose"
	"slipway/test/hung"
	"slipway/test/linger"
	"slipway/test/poll"
	"slipway/test/skip"
)

func serve(t *testing.T, warn func(error)) (*Store, *Client) {
	t.Helper()
	s, err := NewStore()
	if err != nil {
		t.Fatal(err)
	}
	s.Warn = warn
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s, NewClient(s.Child)
}

func (s *Store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

func TestHeldPipeKeepsItsContent(t *testing.T) {
	s, c := serve(t, nil)
	path := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("last words"); err != nil {
		t.Fatal(err)
	}
	if err := c.Hold("x", f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	buf := make([]byte, 64)
	if n, err := g.Read(buf); err != nil || string(buf[:n]) != "last words" {
		t.Errorf("the pipe has %q, %v", buf[:n], err)
	}
	poll.Until(t, "held", func() bool { return s.count() == 1 })
	if err := c.Release("x"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "released", func() bool { return s.count() == 0 })
}

// There is a bound, which is also half of what the process may open; what is not kept is told once, until there is room.
func TestNumberIsBounded(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for own, want := range map[uint64]int{limit.Cur: int(min(maxHeld, limit.Cur/2)), 100: 50} {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: own, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		got := most()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("of %d descriptors %d may be held, want %d", own, got, want)
		}
	}
	warned := make(chan error, 10)
	s, c := serve(t, func(err error) { warned <- err })
	s.mu.Lock()
	s.most = 50
	s.mu.Unlock()
	hold := func(name string) {
		poll.Until(t, "the queue has room", func() bool { return c.Hold(name, os.Stdin) == nil })
	}
	for i := range s.most + 5 {
		hold(fmt.Sprint("n", i))
	}
	if err := <-warned; !strings.Contains(err.Error(), "hold n50: 50 are held") {
		t.Error(err)
	}
	if err := c.Release("n0"); err != nil {
		t.Fatal(err)
	}
	hold("again")
	hold("none")
	if err := <-warned; !strings.Contains(err.Error(), "hold none: ") {
		t.Error(err)
	}
	if n := s.count(); n != s.most || len(warned) > 0 {
		t.Errorf("%d are held, %d more warnings", n, len(warned))
	}
}

func TestFaultyMessages(t *testing.T) {
	var warned []error
	s, c := serve(t, func(err error) { warned = append(warned, err) })
	for _, msg := range []string{"", "+", "-", "+nofd", "?x", "-unknown"} {
		if err := s.handle([]byte(msg), -1); err != nil {
			t.Errorf("%q: %v", msg, err)
		}
	}
	if err := c.Hold("", os.Stdin); err == nil || !strings.Contains(err.Error(), `hold "": a name has 1 to`) {
		t.Errorf("an empty name: %v", err)
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d are held", n)
	}
	if len(warned) != 1 || !strings.Contains(warned[0].Error(), "hold nofd: no descriptor") {
		t.Errorf("warned of %v", warned)
	}
}

// What one child has given the next one takes, again and again, with what came
// meanwhile; an answer that nobody waited for any more is not taken for another.
func TestTake(t *testing.T) {
	_, c := serve(t, nil)
	if _, err := c.Take("x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing is held: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := errors.Join(c.Hold("x", r), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("12"); err != nil {
		t.Fatal(err)
	}
	if err := c.send("?", "x", nil); err != nil { // and is killed
		t.Fatal(err)
	}
	for _, want := range []string{"1", "2"} {
		next := NewClient(c.sock)
		if _, err := next.Take("y"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("another name: %v", err)
		}
		f, err := next.Take("x")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1)
		if _, err := f.Read(got); err != nil || string(got) != want {
			t.Errorf("read %q %v, want %s", got, err, want)
		}
		f.Close()
	}
	if err := c.Release("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Take("x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was released: %v", err)
	}
}

// A socket whose queue has connections that want to wait for their data to be taken,
// for ever, holds up nobody when it is let go: neither the store nor who asks it.
func TestReleaseWaitsForNoConnection(t *testing.T) {
	_, c := serve(t, nil)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := linger.Send(ends[1]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.HoldFd("notify", ends[0]), unix.Close(ends[0]), unix.Close(ends[1])); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Release("notify"), c.Hold("other", os.Stdin)); err != nil {
		t.Fatal(err)
	}
	var f *os.File
	poll.Until(t, "the other is held", func() bool { f, err = c.Take("other"); return err == nil })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file whose server is gone, and whose close hears no signal, keeps neither those of
// others from being held nor theirs from being taken.
func TestReleaseThatHangs(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	f, release, err := hung.File(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	warned := make(chan error, 1)
	_, c := serve(t, func(err error) { warned <- err })
	if err := errors.Join(c.Hold("hangs", f), c.Release("hangs"), c.Hold("other", os.Stdin)); err != nil {
		t.Fatal(err)
	}
	if err := <-warned; !errors.Is(err, fdclose.ErrHangs) {
		t.Errorf("warned of %v", err)
	}
	taken, err := c.Take("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Close(); err != nil {
		t.Error(err)
	}
}
