package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// consoleBuffer is what is kept for a terminal that is slower than its writers.
const consoleBuffer = 64 << 10

// Console writes to several terminals and never waits for one. What a terminal
// does not take is kept, up to consoleBuffer, and written by a goroutine that
// exists only while there is something to write. What does not fit is dropped,
// whole writes at a time, and counted; the terminal is told how much once it
// takes data again.
type Console struct {
	mu    sync.Mutex
	devs  []*terminal
	wrote *sync.Cond // something was taken, or the goroutine ended
	busy  bool       // the goroutine runs
}

type terminal struct {
	name   string
	fd     int
	buf    []byte
	moved  time.Time // when it last took something, or had nothing to take
	lost   int64     // bytes dropped, ever
	untold int64     // of these, not yet said on the terminal
	// reopened: it was hung up and opened again, and has taken nothing since.
	reopened bool
}

// ConsoleNames lists the devices that the kernel's command line names with
// console=, each once, in order.
func ConsoleNames(cmdline string) []string {
	var names []string
	seen := map[string]bool{}
	for _, word := range strings.Fields(cmdline) {
		value, ok := strings.CutPrefix(word, "console=")
		name, _, _ := strings.Cut(value, ",")
		if ok && name != "" && filepath.IsLocal(name) && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// OpenConsole opens every console= of cmdline that is a character device below
// dev, or dev/console if there is none. A device that cannot be opened is an
// error, and the others are there all the same.
func OpenConsole(cmdline, dev string) (*Console, error) {
	c := NewConsole()
	var errs []error
	for _, name := range append(ConsoleNames(cmdline), "console") {
		if name == "console" && len(c.devs) > 0 {
			break
		}
		path := filepath.Join(dev, name)
		info, err := os.Stat(path)
		if err == nil && info.Mode()&os.ModeCharDevice == 0 {
			err = fmt.Errorf("%s is no character device", path)
		}
		if err == nil {
			err = c.open(path, unix.O_WRONLY)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("open console: %w", err))
		}
	}
	return c, errors.Join(errs...)
}

// NewConsole is a Console with nothing behind it yet.
func NewConsole() *Console {
	c := &Console{}
	c.wrote = sync.NewCond(&c.mu)
	return c
}

// Add writes to an open file as well, such as os.Stdout. It is opened anew, so
// that others who share it do not find it non-blocking.
func (c *Console) Add(f *os.File) error {
	return c.open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_WRONLY|unix.O_APPEND)
}

func (c *Console) open(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devs = append(c.devs, &terminal{name: path, fd: fd})
	return nil
}

// Write gives data to every terminal. It neither fails nor waits.
func (c *Console) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.devs {
		t.write(data)
		if len(t.buf) > 0 && !c.busy {
			c.busy = true
			go c.flusher()
		}
	}
	return len(data), nil
}

// Lost is the number of bytes dropped so far, over all terminals.
func (c *Console) Lost() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n int64
	for _, t := range c.devs {
		n += t.lost
	}
	return n
}

// Flush waits until everything is written, but for no terminal that has taken
// nothing for the time of stall.
func (c *Console) Flush(stall time.Duration) {
	tick := time.AfterFunc(stall, c.wrote.Broadcast)
	defer tick.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.waiting(stall) {
		tick.Reset(stall)
		c.wrote.Wait()
	}
}

// waiting tells whether a terminal that still moves has something to write.
func (c *Console) waiting(stall time.Duration) bool {
	for _, t := range c.devs {
		if len(t.buf) > 0 && time.Since(t.moved) < stall {
			return true
		}
	}
	return false
}

// Close gives up what is not written yet.
func (c *Console) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, t := range c.devs {
		errs = append(errs, unix.Close(t.fd))
	}
	c.devs = nil
	return errors.Join(errs...)
}

// flusher writes what is left whenever a terminal takes it.
func (c *Console) flusher() {
	for {
		c.mu.Lock()
		var wait []unix.PollFd
		for _, t := range c.devs {
			t.flush()
			if len(t.buf) > 0 {
				wait = append(wait, unix.PollFd{Fd: int32(t.fd), Events: unix.POLLOUT})
			}
		}
		c.busy = len(wait) > 0
		c.wrote.Broadcast()
		c.mu.Unlock()
		if len(wait) == 0 {
			return
		}
		if _, err := unix.Poll(wait, 1000); err != nil || wait[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
			// A terminal that hung up says so at once and for ever.
			time.Sleep(retry)
		}
	}
}

func (t *terminal) write(data []byte) {
	t.flush()
	if len(t.buf) == 0 {
		data = data[t.push(data):]
	}
	if len(t.buf)+len(data) > consoleBuffer {
		t.lost += int64(len(data))
		t.untold += int64(len(data))
		return
	}
	if len(t.buf) == 0 {
		t.moved = time.Now()
	}
	t.buf = append(t.buf, data...)
}

// flush writes what waits, then says what was dropped.
func (t *terminal) flush() {
	if len(t.buf) > 0 {
		n := t.push(t.buf)
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	if len(t.buf) > 0 {
		return
	}
	t.buf = nil
	if t.untold > 0 {
		note := fmt.Sprintf("\nslipway: console: %d bytes dropped\n", t.untold)
		n := t.push([]byte(note))
		if n > 0 {
			t.untold = 0
			t.buf = append(t.buf, note[n:]...)
		}
	}
}

// reopen opens a terminal again that a session has hung up: when a getty ends,
// the kernel cuts off everybody who has its terminal open. Cut off twice in a
// row, with nothing written between, it is left alone until the next write.
func (t *terminal) reopen() bool {
	if t.reopened {
		t.reopened = false
		return false
	}
	t.reopened = true
	fd, err := unix.Open(t.name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	// The number stays: somebody may be polling it.
	err = unix.Dup3(fd, t.fd, unix.O_CLOEXEC)
	return errors.Join(err, unix.Close(fd)) == nil
}

// push writes what the terminal takes at once.
func (t *terminal) push(data []byte) int {
	done := 0
	for done < len(data) {
		n, err := unix.Write(t.fd, data[done:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EIO) && t.reopen() {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		t.reopened = false
		done += n
	}
	if done > 0 {
		t.moved = time.Now()
	}
	return done
}

// consoleSink writes the lines of a container, each with its name in front.
type consoleSink struct {
	console *Console
	name    string
	split   splitter
}

func newConsoleSink(name string, c *Console) *consoleSink {
	return &consoleSink{console: c, name: name + ": ", split: splitter{max: 1 << 10}}
}

func (k *consoleSink) String() string { return "console" }

func (k *consoleSink) write(data []byte) { k.split.write(data, k.line) }

func (k *consoleSink) line(text []byte, _ bool) {
	// The Console counts what it drops.
	line := append(Escape([]byte(k.name), text), '\n')
	if _, err := k.console.Write(line); err != nil {
		k.split.rest = nil
	}
}

func (k *consoleSink) pending() bool  { return false }
func (k *consoleSink) giveUp()        {}
func (k *consoleSink) dropped() int64 { return 0 }

func (k *consoleSink) close() error {
	k.split.end(k.line)
	return nil
}
