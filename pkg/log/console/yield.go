package console

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowest is the priority of what runs when nobody else wants to (nice(2)).
const lowest = 19

// last calls push on a thread of the lowest priority. A thread that cannot be raised
// again ends with its goroutine.
func last(push func() int) int {
	runtime.LockOSThread()
	was, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, lowest)
	}
	n := push()
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-was) // the system call tells 20 less the priority
	}
	if err == nil {
		runtime.UnlockOSThread()
	}
	return n
}
