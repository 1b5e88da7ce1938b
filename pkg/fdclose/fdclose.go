// Package fdclose bounds system calls that let go of what a stranger has made. A
// descriptor in a message is closed by who reads the message or has the socket last,
// in that call; if it is a connection with SO_LINGER, which takes no privilege, the
// call waits until its data is taken, which may be never. Signals end such a wait.
package fdclose

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxWait is how long a call may take before it is interrupted, and between is the
// time until that is tried again: a signal may come when the call does not wait.
const (
	maxWait = 100 * time.Millisecond
	between = 10 * time.Millisecond
)

// Call makes a system call in one thread, which gets signals once the call takes
// long. They are those that Go's runtime sends itself, and does nothing about.
// What hears no signals, such as a network file system, is waited for all the same.
func Call(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, tid := os.Getpid(), unix.Gettid()
	var over atomic.Bool
	timer := time.AfterFunc(maxWait, func() {
		for ; !over.Load(); time.Sleep(between) {
			if unix.Tgkill(pid, tid, unix.SIGURG) != nil {
				return
			}
		}
	})
	do()
	over.Store(true)
	timer.Stop()
}

// Threads is how many descriptors are closed at a time, each in a thread of its own,
// and hopeless how long a close may take before nobody waits for it any more: what hears
// no signals is a file of a server that is gone, which may never answer.
const (
	Threads  = 4
	hopeless = time.Second
)

// ErrHangs is of a close that goes on by itself.
var ErrHangs = errors.New("the close hangs in the kernel")

// closing is one descriptor to be closed.
type closing struct {
	fd   int
	done chan error
	left bool // nobody waits for it any more
}

// line is the descriptors that are not closed yet.
var line struct {
	sync.Mutex
	waiting []*closing
	threads int // that close, at most Threads
	hang    int // how many of all nobody waits for any more
}

// Close closes a descriptor that strangers may have sent something to. If that hangs
// the error is ErrHangs; those of later calls are closed beside it, and if Threads of
// them hang, when one has come back.
func Close(fd int) error {
	c := &closing{fd: fd, done: make(chan error, 1)}
	line.Lock()
	line.waiting = append(line.waiting, c)
	if line.threads < Threads {
		line.threads++
		go closeAll()
	}
	wait := hopeless
	if line.hang >= Threads {
		wait = 0
	}
	line.Unlock()
	select {
	case err := <-c.done:
		return err
	case <-time.After(wait):
	}
	line.Lock()
	defer line.Unlock()
	select {
	case err := <-c.done:
		return err
	default:
	}
	c.left = true
	line.hang++
	return ErrHangs
}

// Left is how many descriptors are not closed though somebody wanted it.
func Left() int {
	line.Lock()
	defer line.Unlock()
	return len(line.waiting) + line.threads
}

// closeAll closes what is in line, until there is nothing.
func closeAll() {
	line.Lock()
	defer line.Unlock()
	for len(line.waiting) > 0 {
		c := line.waiting[0]
		line.waiting = line.waiting[1:]
		line.Unlock()
		var err error
		Call(func() { err = unix.Close(c.fd) })
		line.Lock()
		if c.done <- err; c.left {
			line.hang--
		}
	}
	line.threads--
}
