package attack

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Detail says on standard error what an attack found; it is no part of the outcome.
func Detail(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// call makes a system call that x/sys has no function for.
func call(number uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return r, errno
	}
	return r, nil
}

// calls is an attack that is one system call.
func calls(number uintptr, args ...uintptr) func() error {
	return func() error {
		_, err := call(number, args...)
		return err
	}
}

// makes is a call that returns a descriptor.
func makes(number uintptr, args ...uintptr) func() error {
	return func() error {
		fd, err := call(number, args...)
		if err != nil {
			return err
		}
		return unix.Close(int(fd))
	}
}

// text is a C string.
func text(s string) uintptr {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	pinned = append(pinned, p)
	return uintptr(unsafe.Pointer(p))
}

// pinned keeps what only system calls point to.
var pinned []*byte

// block is memory for a structure of the kernel; Go's heap does not move.
func block(b []byte) uintptr {
	pinned = append(pinned, &b[0])
	return uintptr(unsafe.Pointer(&b[0]))
}

// minus is a negative argument.
func minus(n int) uintptr { return uintptr(-n) }

// pointer is the address of a structure, which stays where it is.
func pointer[T any](v *T) uintptr {
	kept = append(kept, v)
	return uintptr(unsafe.Pointer(v))
}

var kept []any

// undo makes a call that takes back what an attack has made.
func undo(number uintptr, args ...uintptr) {
	if _, err := call(number, args...); err != nil {
		Detail("take back: %v", err)
	}
}

// gone removes a file that an attack has made.
func gone(path string) {
	if err := os.Remove(path); err != nil {
		Detail("take back: %v", err)
	}
}
