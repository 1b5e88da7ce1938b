package console

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// low is the priority (nice(2)) at which a thread has a tenth of the time that one of the
// usual priority has beside it, and still as much as all containers together: whoever
// wants to say something waits for the device.
const low = 10

// last calls push on a thread of low priority. A thread that cannot be raised
// again ends with its goroutine.
func last(push func() int) int {
	runtime.LockOSThread()
	was, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, low)
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
