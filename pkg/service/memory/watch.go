package memory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/cgroup"
)

// trigger is when the kernel tells of stalls: processes have waited for memory
// for a fifth of a second within two.
const trigger = "some 200000 2000000"

// pause is how long the kernel's signs are let gather once there is one.
const pause = time.Second

// Watch calls look whenever the kernel has a sign that the memory of all
// containers runs short: the limit above which it slows them down, or is about
// to kill, was crossed, or, where it counts stalls (PSI), they wait for memory.
// It sleeps in between, and returns only when there is nothing to watch; missing
// says what the kernel cannot tell.
func Watch(missing func(string), look func()) error {
	all := cgroup.Top()
	events, err := os.Open(all.File("memory.events"))
	if errors.Is(err, os.ErrNotExist) {
		missing("the kernel does not tell when memory runs short (no memory controller of cgroup v2)")
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch memory: %w", err)
	}
	defer events.Close()
	fds := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
	if stalls, err := openStalls(all); err == nil {
		defer stalls.Close()
		fds = append(fds, unix.PollFd{Fd: int32(stalls.Fd()), Events: unix.POLLPRI})
	} else {
		missing("the kernel does not tell of stalls for want of memory (no PSI; Debian's wants psi=1 on its command line)")
	}
	for {
		// The kernel tells of changes since the last time the file was read.
		if _, err := events.ReadAt(make([]byte, 512), 0); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("watch memory: %w", err)
		}
		if _, err := unix.Poll(fds, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return fmt.Errorf("watch memory: %w", err)
		}
		look()
		time.Sleep(pause)
	}
}

func openStalls(g cgroup.Group) (*os.File, error) {
	f, err := os.OpenFile(g.File("memory.pressure"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(trigger); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
