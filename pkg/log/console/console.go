// Package console writes to the consoles of the machine and waits for none. PID 1
// and the supervisor use it: a serial line that nobody reads must stop neither.
//
// What a console has not taken yet waits in a pipe of its own, and a goroutine
// that exists only while something waits moves it on with splice(2): the kernel
// takes out of the pipe exactly what the console has taken. Nobody but that
// goroutine touches the device. What the pipe has no room for is dropped, whole
// writes at a time, and the console is told how much once it takes data again.
//
// Keep gives the pipes names and a second holder, so that what waits outlives a
// process that is killed, and lets Feed show a stream exactly once over many of
// them (feed.go).
package console

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/yield"
)

// queueSize is what may wait for one console. The kernel takes the memory for it
// as it is needed.
const queueSize = 256 << 10

// pipeBuf is the longest write that a pipe takes whole or not at all.
const pipeBuf = 4 << 10

// Console is a number of devices. Its methods may be called by any goroutine.
type Console struct {
	mu      sync.Mutex
	lines   []*line
	changed *sync.Cond // something was taken
	kept    *kept      // nil: what waits dies with this process
	yields  bool
}

// Yield has others have the processor before what a device takes, which for a serial
// line is all of it: a container that writes without pause would take it from
// whoever asks this process for something. It is for a process that may make threads.
func (c *Console) Yield() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.yields = true
}

// New is a Console without devices: what is written to it goes nowhere.
func New() *Console {
	c := &Console{}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// Names lists the devices that a kernel's command line names with console=,
// each once, in order, without their modes.
func Names(cmdline string) []string {
	var names []string
	seen := map[string]bool{}
	for word := range strings.FieldsSeq(cmdline) {
		value, ok := strings.CutPrefix(word, "console=")
		name, _, _ := strings.Cut(value, ",")
		if ok && filepath.IsLocal(name) && name != "." && name == filepath.Base(name) && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// Attach opens the devices below dev in place of those that are open. Those that
// are not there are left out, and are the error: people list consoles of other
// machines too. If none is left it takes fallback, the one the kernel chose.
func (c *Console) Attach(dev string, names []string, fallback string) error {
	var lines []*line
	var errs []error
	for _, name := range append(names[:len(names):len(names)], fallback) {
		if name == fallback && len(lines) > 0 {
			break
		}
		l, err := openLine(filepath.Join(dev, name))
		if err != nil {
			errs = append(errs, fmt.Errorf("open console: %w", err))
			continue
		}
		lines = append(lines, l)
	}
	return errors.Join(append(errs, c.replace(lines))...)
}

// AttachFile makes an open file the console, such as os.Stdout. It is opened
// anew, so that others who share it do not find it non-blocking.
func (c *Console) AttachFile(f *os.File) error {
	l, err := newLine(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_APPEND)
	if err != nil {
		return fmt.Errorf("open console: %w", err)
	}
	return c.replace([]*line{l})
}

// replace ends the use of the devices that are open. One that hangs in a write
// of ours is closed when that returns.
func (c *Console) replace(lines []*line) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, l := range c.lines {
		l.closed, l.slot = true, nil
		if !l.busy {
			errs = append(errs, l.release())
		}
	}
	c.lines = lines
	c.changed.Broadcast()
	return errors.Join(errs...)
}

// Write gives data to every device. It neither fails nor waits.
func (c *Console) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		l.put(data)
		c.start(l)
	}
	return len(data), nil
}

// start has what waits for a device moved. c.mu is held.
func (c *Console) start(l *line) {
	if !l.busy && l.pending() {
		l.busy = true
		go c.move(l, c.yields)
	}
}

// The pause before a device is tried again that took nothing, which doubles from
// the first to the longest. To wait in poll(2) would take a thread, which PID 1
// may not get.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = time.Second
)

// move takes to the device what waits for it, until nothing does.
func (c *Console) move(l *line, yields bool) {
	push := l.push
	if yields {
		push = func() (n int) {
			yield.Do(yield.Device, func() { n = l.push() })
			return n
		}
	}
	for pause := firstPause; ; {
		<-l.device
		n := push()
		l.device <- struct{}{}
		if !c.moved(l, n) {
			return
		}
		if n > 0 {
			pause = firstPause
			continue
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

// moved notes what a device has taken and says whether there is more for it.
func (c *Console) moved(l *line, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.stuck = false
	if n > 0 {
		l.moved = time.Now()
	}
	if l.closed {
		_ = l.release() // It was written to without buffering: nothing is lost.
		return false
	}
	if l.waiting() == 0 {
		l.tell()
	}
	l.busy = l.pending()
	c.changed.Broadcast()
	return l.busy
}

// Congested tells whether so much waits for a device that writers had better wait.
func (c *Console) Congested() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.lines, (*line).congested)
}

// Flush waits until everything is with the devices, but for none that has taken
// nothing for the time of stall.
func (c *Console) Flush(stall time.Duration) { c.flush(stall, time.Time{}) }

// flush is Flush with a time at which it ends in any case; zero: none.
func (c *Console) flush(stall time.Duration, end time.Time) {
	tick := time.AfterFunc(stall, c.changed.Broadcast)
	defer tick.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := time.Now()
	for c.moving(begin, stall) && (end.IsZero() || time.Now().Before(end)) {
		tick.Reset(stall)
		c.changed.Wait()
	}
}

// moving tells whether a device that still takes something has more to take.
func (c *Console) moving(begin time.Time, stall time.Duration) bool {
	for _, l := range c.lines {
		since := l.moved
		if since.Before(begin) {
			since = begin
		}
		if l.busy && time.Since(since) < stall {
			return true
		}
	}
	return false
}

// Drain waits until everything is on the wire, at most the given time for all
// devices together.
func (c *Console) Drain(limit time.Duration) {
	deadline := time.Now().Add(limit)
	c.flush(limit, deadline)
	c.mu.Lock()
	lines := c.lines
	c.mu.Unlock()
	done := make(chan struct{}, len(lines))
	for _, l := range lines {
		// tcdrain(3) has no time limit, so each waits in a goroutine of its own
		// that is left behind if its console is stuck.
		go func(fd int) {
			// It may be no terminal, or one that the end of a getty has hung up
			// since the last line, which it has taken.
			_ = unix.IoctlSetInt(fd, unix.TCSBRK, 1)
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

// Close gives up what is not with the devices yet.
func (c *Console) Close() error { return errors.Join(c.replace(nil), c.kept.close()) }
