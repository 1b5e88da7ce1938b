package reap

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfo is the part of siginfo_t that waitid(2) fills for SIGCHLD, with the
// padding that 64-bit machines have before the union.
type siginfo struct {
	Signo, Errno, Code int32
	_                  int32
	Pid                int32
	_                  [128 - 20]byte
}

// waitid looks for a child that has ended or stopped, as options say. It is called raw because unix.Siginfo hides the pid in its padding.
func waitid(kind, id int, info *siginfo, options int) error {
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, uintptr(kind), uintptr(id),
		uintptr(unsafe.Pointer(info)), uintptr(options), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
