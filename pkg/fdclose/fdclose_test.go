package fdclose_test

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/fdclose"
	"slipway/test/hung"
	"slipway/test/linger"
	"slipway/test/poll"
	"slipway/test/skip"
)

// Neither closing a socket nor reading from it waits for connections that were sent
// to it, whatever wait these want.
func TestWaitsForNoConnection(t *testing.T) {
	for name, let := range map[string]func(fd int) error{
		"close": fdclose.Close,
		"read": func(fd int) error {
			for range linger.Messages {
				var err error
				fdclose.Call(func() { _, err = unix.Read(fd, make([]byte, 64)) })
				if err != nil {
					return err
				}
			}
			return unix.Close(fd)
		},
	} {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(linger.Send(ends[1]), let(ends[0]), unix.Close(ends[1])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallsAreMadeOnce(t *testing.T) {
	calls := 0
	for range 1000 {
		fdclose.Call(func() { calls++ })
	}
	if calls != 1000 {
		t.Errorf("%d calls", calls)
	}
	if err := fdclose.Close(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("the call's own error: %v", err)
	}
}

// Closes that hear no signal, more than there are threads for, hold up nobody: each is
// left after a while, those after them at once, and all is closed when the server is back.
func TestHungCloses(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	f, release, err := hung.File(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceValue(release)
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	more := func() int {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	var all sync.WaitGroup
	for range fdclose.Threads {
		fd := more()
		all.Go(func() {
			if err := fdclose.Close(fd); !errors.Is(err, fdclose.ErrHangs) {
				t.Errorf("one that hangs: %v", err)
			}
		})
	}
	all.Wait()
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Close(pipe[1]), fdclose.Close(pipe[0])); !errors.Is(err, fdclose.ErrHangs) {
		t.Errorf("one after them: %v", err)
	}
	if n := fdclose.Left(); n != fdclose.Threads+1 {
		t.Errorf("%d are left", n)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "none is left", func() bool { return fdclose.Left() == 0 })
	if err := fdclose.Close(pipe[0]); !errors.Is(err, unix.EBADF) {
		t.Errorf("the one after them, again: %v", err)
	}
}
