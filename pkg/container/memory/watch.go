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

// pause is how long the kernel's signs are let gather once there is one, and
// calm how often it is looked whether there is room again.
const (
	pause = 250 * time.Millisecond
	calm  = 5 * time.Second
)

// Watch calls look whenever the kernel has a sign that the memory of all
// containers runs short: a line below the limit was crossed, the limit was hit,
// or, where the kernel counts stalls (PSI), they wait for memory. The kernel
// slows down who crosses the line, innocents too, so it is taken away as soon as
// look tells that memory is short, and drawn again when it is not. As long as
// there is room Watch sleeps; it returns only when there is nothing to watch, and
// missing says what the kernel cannot tell.
func Watch(missing func(string), look func() (short bool)) error {
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
		missing("the kernel does not tell of stalls for lack of memory (no PSI; Debian's wants psi=1 on its command line)")
	}
	for short, drawn := false, false; ; time.Sleep(pause) {
		if short == drawn {
			if err := draw(all, short); err != nil {
				return fmt.Errorf("watch memory: %w", err)
			}
			drawn = !short
		}
		// The kernel tells of changes since the last time the file was read.
		if _, err := events.ReadAt(make([]byte, 512), 0); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("watch memory: %w", err)
		}
		wait := -1
		if short {
			wait = int(calm / time.Millisecond)
		}
		if _, err := unix.Poll(fds, wait); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("watch memory: %w", err)
		}
		short = look()
	}
}

// far is how often it is looked at what the machine has left, where the kernel
// does not tell of stalls; near where that is not much, whatever it tells.
const (
	far     = 10 * time.Second
	near    = time.Second
	forever = -time.Millisecond
)

// rhythm says how long no sign is heeded after a look that found left bytes, and how long one is then waited for. Little is
// four times the floor, but no more than half of the most that was ever left, or a small machine would be
// looked at for ever. With more than that, signs are mostly of containers at limits of their own.
func rhythm(left, most, floor uint64, stalls bool) (rest, wait time.Duration) {
	switch {
	case left < min(4*floor, most/2):
		return pause, near
	case stalls:
		return near, forever
	}
	return near, far
}

// WatchMachine calls low whenever the machine has less left than floor, in bytes. It
// sleeps until processes wait for memory, or looks now and then where the kernel
// does not count that, more often where there is little left; and when a container has come to a limit, or
// was killed for it. It goes on after a failure, which it tells once: looking may fail
// because there is no memory.
func WatchMachine(floor uint64, low func(), failed func(error)) {
	var fds []unix.PollFd
	files, stalls := signs()
	for _, f := range files {
		defer f.Close()
		fds = append(fds, unix.PollFd{Fd: int32(f.Fd()), Events: unix.POLLPRI})
	}
	var most uint64
	var waited error
	for told := false; ; {
		rest, wait := far, time.Duration(0)
		left, err := Free()
		if err = errors.Join(err, waited); err == nil {
			most = max(most, left)
			rest, wait = rhythm(left, most, floor, stalls)
			if left < floor {
				low()
			}
		} else if !told {
			told = true
			failed(fmt.Errorf("watch the machine's memory: %w", err))
		}
		time.Sleep(rest)
		if _, waited = unix.Poll(fds, int(wait/time.Millisecond)); errors.Is(waited, unix.EINTR) {
			waited = nil
		}
		for _, f := range files {
			// The kernel tells of changes since the last time that a file was read.
			_, _ = f.ReadAt(make([]byte, 512), 0)
		}
	}
}

// signs are files by which the kernel tells that the machine may be short of memory: stalls, if it counts
// them, and what the limits of containers have done, of each below that of all too.
func signs() (files []*os.File, stalls bool) {
	if f, err := openStallsOf("/proc/pressure/memory"); err == nil {
		files, stalls = append(files, f), true
	}
	if f, err := os.Open(cgroup.Top().File("memory.events")); err == nil {
		files = append(files, f)
	}
	return files, stalls
}

// draw draws the line, or takes it away.
func draw(all cgroup.Group, short bool) error {
	if short {
		return all.SetHigh(0)
	}
	return all.SetHigh(all.MemoryLimit() / 16 * 15)
}

func openStalls(g cgroup.Group) (*os.File, error) { return openStallsOf(g.File("memory.pressure")) }

func openStallsOf(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(trigger); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
