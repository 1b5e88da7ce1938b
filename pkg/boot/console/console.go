// Package console writes PID 1's lines to every console of the machine and never
// blocks on one: a serial line that nobody reads must not stop the boot. What a
// console does not take waits in a bounded buffer; what does not fit is dropped
// and counted.
package console

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/escape"
	"slipway/pkg/journal"
)

// limit is how much may wait for one console.
const limit = 64 << 10

// Console is all consoles of the machine. Its methods may be called from any
// goroutine.
type Console struct {
	// Journal gets the lines of Printf too; nil: nobody does.
	Journal *journal.Journal

	mu     sync.Mutex
	lines  []*line
	wake   chan struct{}
	closed bool
}

// line is one console device.
type line struct {
	name    string
	fd      int
	waiting []byte
	dropped int
	// reopened: it was hung up and opened again, and has taken nothing since.
	reopened bool
}

// New returns a console without devices; what is written to it before the first
// Attach goes nowhere.
func New() *Console {
	c := &Console{wake: make(chan struct{}, 1)}
	go c.drain()
	return c
}

// Names lists the devices of console= options, each once, without their modes.
func Names(cmdline string) []string {
	var names []string
	seen := map[string]bool{}
	for _, word := range strings.Fields(cmdline) {
		value, ok := strings.CutPrefix(word, "console=")
		name, _, _ := strings.Cut(value, ",")
		if !ok || name == "" || seen[name] || strings.Contains(name, "/") {
			continue
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}

// Attach opens the devices below dev. Those that cannot be opened are left out:
// people list consoles of other machines too. If none is left it takes
// fallback, the device that the kernel chose.
func (c *Console) Attach(dev string, names []string, fallback string) {
	var lines []*line
	for _, name := range names {
		if l := open(path.Join(dev, name)); l != nil {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		if l := open(path.Join(dev, fallback)); l != nil {
			lines = append(lines, l)
		}
	}
	c.replace(lines)
}

// AttachStderr makes standard error the console, as it is in a container. It is
// opened anew, so that not blocking is a matter of ours alone.
func (c *Console) AttachStderr() error {
	const name = "/proc/self/fd/2"
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_APPEND|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open standard error: %w", err)
	}
	c.replace([]*line{{name: "standard error", fd: fd}})
	return nil
}

func (c *Console) replace(lines []*line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		closeFD(l.fd)
	}
	c.lines = lines
}

// open opens a device of its own, so that O_NONBLOCK is ours alone.
func open(name string) *line {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		closeFD(fd)
		return nil
	}
	return &line{name: name, fd: fd}
}

// closeFD closes what was only written without buffering: nothing is lost.
func closeFD(fd int) {
	if err := unix.Close(fd); err != nil {
		fmt.Fprintf(os.Stderr, "close console: %v\n", err)
	}
}

// Printf writes one line, with the prefix that all our lines have, whatever text
// of others is in it.
func (c *Console) Printf(format string, args ...any) {
	text := escape.Line(fmt.Sprintf(format, args...))
	c.Journal.Add(time.Now(), text)
	c.Write([]byte("slipway: " + text + "\r\n"))
}

// Write queues bytes for every console.
func (c *Console) Write(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		l.queue(data)
		l.flush()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// queue appends as a whole or not at all, so that no half line is shown.
func (l *line) queue(data []byte) {
	if len(l.waiting)+len(data) > limit {
		l.dropped++
		return
	}
	if l.dropped > 0 && len(l.waiting) == 0 {
		l.waiting = fmt.Appendf(l.waiting, "slipway: %d messages dropped on %s\r\n", l.dropped, l.name)
		l.dropped = 0
	}
	l.waiting = append(l.waiting, data...)
}

// flush writes what the device takes now.
func (l *line) flush() {
	for len(l.waiting) > 0 {
		n, err := unix.Write(l.fd, l.waiting)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if errors.Is(err, unix.EIO) && l.reopen() {
			continue
		}
		if err != nil {
			// A device that is gone: its output has no reader any more.
			l.dropped++
			l.waiting = nil
			return
		}
		l.waiting = l.waiting[n:]
		l.reopened = false
	}
	l.waiting = nil
}

// reopen opens a terminal again that a session has hung up: when a getty ends,
// the kernel cuts off everybody who has its terminal open. Cut off twice in a
// row, with nothing written between, it is given up.
func (l *line) reopen() bool {
	if l.reopened {
		return false
	}
	l.reopened = true
	again := open(l.name)
	if again == nil {
		return false
	}
	closeFD(l.fd)
	l.fd = again.fd
	return true
}

// drain retries consoles that did not take everything. It sleeps in between
// instead of polling the devices, and not at all while nothing waits.
func (c *Console) drain() {
	for range c.wake {
		for c.pending() {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// pending flushes and says whether something is left.
func (c *Console) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := false
	for _, l := range c.lines {
		l.flush()
		left = left || len(l.waiting) > 0
	}
	return left && !c.closed
}

// Flush waits until everything written is on the wire, at most the given time
// for all consoles together.
func (c *Console) Flush(limit time.Duration) {
	deadline := time.Now().Add(limit)
	for c.pending() && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	c.mu.Lock()
	lines := c.lines
	c.mu.Unlock()
	done := make(chan struct{}, len(lines))
	for _, l := range lines {
		// tcdrain(3) has no time limit, so each waits in a goroutine of its own
		// that is left behind if its console is stuck.
		go func(fd int) {
			// ENOTTY: no terminal; EIO: one that the end of a getty has hung up
			// since the last line, which it has taken.
			err := unix.IoctlSetInt(fd, unix.TCSBRK, 1)
			if err != nil && !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EIO) {
				fmt.Fprintf(os.Stderr, "drain console: %v\n", err)
			}
			done <- struct{}{}
		}(l.fd)
	}
	timeout := time.After(time.Until(deadline))
	for range lines {
		select {
		case <-done:
		case <-timeout:
			return
		}
	}
}
