package sink

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/pkg/escape"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/line"
)

// kmsgMax keeps a record below what the kernel takes in one write, with the
// name in front and every byte escaped.
const kmsgMax = 224

// kmsgQueue bounds the records that wait for the kernel's log.
const kmsgQueue = 256

// Kmsg writes lines into the kernel's log. The kernel limits how many it
// takes of one writer unless the command line has printk.devkmsg=on, and it may
// have the writer print them on a slow console: so a goroutine writes, which
// exists only while there is something to write.
type Kmsg struct {
	fd     int
	prefix string
	split  line.Splitter
	stuck  bool

	mu      sync.Mutex
	waiting [][]byte
	lost    int64
	busy    bool
	closed  bool
}

func OpenKmsg(path, name string, s layout.Stream) (*Kmsg, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	level := "<14>" // facility user, severity info
	if s == layout.Stderr {
		level = "<12>" // severity warning
	}
	return &Kmsg{fd: fd, prefix: level + name + ": ", split: line.Splitter{Max: kmsgMax}}, nil
}

func (k *Kmsg) String() string { return "kmsg" }

func (k *Kmsg) Write(data []byte, _ int64) {
	k.split.Write(data, k.line)
	k.stuck = k.stuck && k.congested()
}

func (k *Kmsg) line(text []byte, _ bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) >= kmsgQueue {
		k.lost += int64(len(text) + 1)
		return
	}
	k.waiting = append(k.waiting, append(escape.Append([]byte(k.prefix), text), '\n'))
	if !k.busy {
		k.busy = true
		go k.work()
	}
}

// work writes what waits.
func (k *Kmsg) work() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.waiting) > 0 {
		msg := k.waiting[0]
		k.waiting = k.waiting[1:]
		k.mu.Unlock()
		_, err := unix.Write(k.fd, msg)
		k.mu.Lock()
		if err != nil {
			k.lost += int64(len(msg) - len(k.prefix))
		}
	}
	k.waiting, k.busy = nil, false
	if k.closed {
		_ = unix.Close(k.fd) // It was written to without buffering.
	}
}

func (k *Kmsg) congested() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.waiting) > kmsgQueue/2
}

func (k *Kmsg) Pending() bool { return !k.stuck && k.congested() }
func (k *Kmsg) GiveUp()       { k.stuck = k.Pending() }

func (k *Kmsg) Dropped() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost
}

// Close leaves what still waits to the goroutine.
func (k *Kmsg) Close() error {
	k.split.Finish(k.line)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.busy {
		return nil
	}
	return unix.Close(k.fd)
}
