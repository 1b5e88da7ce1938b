package boot

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// swapoffCall is swapoff(2), which package unix does not wrap.
func swapoffCall(name *byte) error {
	_, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
