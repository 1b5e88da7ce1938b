package main

import (
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// locks locks so many parts of files in the working directory. The kernel goes through all of
// a file for each, so a file gets a thousand.
func locks(value string) (n int, err error) {
	most, err := strconv.Atoi(value)
	if err != nil {
		return 0, err
	}
	var f *os.File
	for ; n < most; n++ {
		if n%1000 == 0 {
			if f, err = os.Create("locked-" + strconv.Itoa(n)); err != nil {
				return n, err
			}
			files = append(files, f)
		}
		part := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(2 * n), Len: 1}
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &part); err != nil {
			return n, err
		}
	}
	return n, nil
}

// files are kept open: what has locked a file lets go of it when it is closed.
var files []*os.File

// context makes one that may have 128 requests under way.
func context() error {
	var id uint64
	return call(unix.SYS_IO_SETUP, 128, uintptr(unsafe.Pointer(&id)))
}
