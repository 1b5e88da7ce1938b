package main

import (
	"fmt"
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
	most, err := strconv.Atoi(value)
	var f *os.File
	part := unix.Flock_t{Type: unix.F_WRLCK, Len: 1}
	for ; n < most && err == nil; n++ {
		if n%perFile == 0 {
			if f, err = os.CreateTemp(".", "locks-"); err != nil {
				return n, err
			}
			locked = append(locked, f)
		}
		part.Start = int64(n%perFile) * 2
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &part)
	}
	return n, err
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
	return times(sockets, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
}

// inFlight sends a netlink socket full of what nobody reads to where nobody takes it.
func inFlight() error {
	fd, err := fullSocket()
	for err == nil {
		if pending != 0 {
			if err = unix.Sendmsg(pending, []byte{0}, unix.UnixRights(fd), nil, unix.MSG_DONTWAIT); err != unix.EAGAIN {
				break
			}
		}
		var ends [2]int
		if ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			pending = ends[0]
		}
	}
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

var pending int // the last one, that may have room

// connections connects to itself and sends as much as goes, which nobody reads; each, with the
// shortest queues there are, is closed then if the second word says so.
func connections(value string) (n int, err error) {
	number, then, _ := strings.Cut(value, ",")
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil && then == "close" {
		err = unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
	}
	if err == nil {
		err = unix.Listen(listener, 4096)
	}
	if err != nil {
		return 0, err
	}
	to, err := unix.Getsockname(listener)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 1<<16)
	return times(number, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, to)
		}
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err == nil && then == "close" {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
		}
		for err == nil {
			_, err = unix.Write(fd, block)
		}
		if err == unix.EAGAIN && then == "close" {
			return unix.Close(fd)
		}
		if err == unix.EAGAIN {
			return nil
		}
		return err
	})
}

// neighbours sends without pause to all addresses of a network of 65,536, which begins with these two numbers.
func neighbours(value string) error {
	var to unix.SockaddrInet4
	if _, err := fmt.Sscanf(value, "%d.%d", &to.Addr[0], &to.Addr[1]); err != nil {
		return err
	}
	to.Port = 9
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	for n := 0; err == nil; n++ {
		to.Addr[2], to.Addr[3] = byte(n>>8), byte(n)
		_ = unix.Sendto(fd, []byte{0}, unix.MSG_DONTWAIT, &to)
	}
	return err
}
