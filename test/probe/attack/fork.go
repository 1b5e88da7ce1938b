package attack

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// fork makes a child that does nothing: it sleeps until its parent ends, or ends
// at once. It has no runtime of Go's, so all it does are raw system calls.
//
//go:noinline
func fork(number, arg1, arg2 uintptr, sleeps bool) (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(number, arg1, arg2, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	if sleeps {
		_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
		for {
			_, _, _ = syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
	for {
		_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// forkSleeper makes a child that sleeps until it is killed or its parent ends.
func forkSleeper() (pid int, err error) {
	pid, errno := fork(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, true)
	if errno != 0 {
		return 0, errno
	}
	return pid, nil
}

// end ends a sleeper and collects it.
func end(pid int) {
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		Detail("end child: %v", err)
		return
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		Detail("collect child: %v", err)
	}
}
