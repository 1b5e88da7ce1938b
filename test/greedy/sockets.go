package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// perFile is how many parts of a file are locked: the kernel looks through all of them for each.
const perFile = 1000

// locks locks parts of files in the working directory that do not touch each other.
func locks(value string) (n int, err error) {
	var f *os.File
	part := unix.Flock_t{Type: unix.F_WRLCK, Len: 1}
	return times(value, func(n int) (err error) {
		if n%perFile == 0 {
			if f, err = os.CreateTemp(".", "locks-"); err != nil {
				return err
			}
			locked = append(locked, f)
		}
		part.Start = int64(n%perFile) * 2
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &part)
	})
}

var locked []*os.File // or their locks go with them

// filters makes sockets with a filter of as many instructions, of 8 bytes, as the second number says.
func filters(value string) (n int, err error) {
	sockets, instructions, _ := strings.Cut(value, ",")
	length, err := strconv.Atoi(instructions)
	if err != nil {
		return 0, err
	}
	filter := slices.Repeat([]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}, length)
	program := unix.SockFprog{Len: uint16(length), Filter: &filter[0]}
	return times(sockets, func(int) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
}
