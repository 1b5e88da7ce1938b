// Package yield has threads that work for containers' output give way to those that answer people.
package yield

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Priorities (nice(2)) of threads. One of the usual priority has 1024 parts of a processor, and
// all containers together have a tenth of that.
const (
	// Device has 110 parts, as much as all containers together: whoever wants to say
	// something waits for the device.
	Device = 10
	// Output has 36. Two threads bring output from the pipes to the files, one more for each
	// directory of its own, and two have less together than the containers, or one that
	// writes without pause would stop the others.
	Output = 15
)

// Do calls do on a thread of a priority. A thread that cannot be raised again ends
// with its goroutine. Nothing may be started there: a process has the priority of the thread
// that starts it.
func Do(priority int, do func()) {
	runtime.LockOSThread()
	was, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, priority)
	}
	do()
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-was) // the system call tells 20 less the priority
	}
	if err == nil {
		runtime.UnlockOSThread()
	}
}
