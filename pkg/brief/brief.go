// Package brief bounds system calls that let go of what a stranger has made. A
// descriptor in a message is closed by who reads the message or has the socket last,
// in that call; if it is a connection with SO_LINGER, which takes no privilege, the
// call waits until its data is taken, which may be never. Signals end such a wait.
package brief

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a call may take before it is interrupted, and between is the
// time until that is tried again: a signal may come when the call does not wait.
const (
	patience = 100 * time.Millisecond
	between  = 10 * time.Millisecond
)

// Call makes a system call in one thread, which gets signals once the call takes
// long. They are those that Go's runtime sends itself, and does nothing about.
// What hears no signals, such as a network file system, is waited for all the same.
func Call(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, tid := os.Getpid(), unix.Gettid()
	var over atomic.Bool
	timer := time.AfterFunc(patience, func() {
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

// Close closes a descriptor that strangers may have sent something to.
func Close(fd int) (err error) {
	Call(func() { err = unix.Close(fd) })
	return err
}
