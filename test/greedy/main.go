// Greedy is a service for tests that takes all it can get of what its arguments
// name, in their order, tells how it went, and keeps what it has:
//
//	wait=PATH    wait until PATH exists
//	fill=FILE    write FILE until there is an error
//	inodes=DIR   make empty files in DIR until there is an error
//	memory       touch memory for ever
//	memfd        write files that have no name
//	files=N      N processes open as many files as they can
//	terminals=N  open N pseudo-terminals
//	forks        fork, and have all that come of it fork
//	polls=N      have files polled N times
//	watches=N    watch N files
package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, value, _ := strings.Cut(arg, "=")
		n, err := do(verb, value)
		fmt.Printf("greedy: %s: %d, %v\n", verb, n, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// do returns how much was taken until an error came.
func do(verb, value string) (n int, err error) {
	switch verb {
	case "wait":
		for err = os.ErrNotExist; err != nil; _, err = os.Stat(value) {
			time.Sleep(100 * time.Millisecond)
		}
		return 0, nil
	case "fill":
		f, err := os.OpenFile(value, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return 0, err
		}
		return write(f)
	case "inodes":
		return inodes(value)
	case "memory":
		return touch(), nil
	case "memfd":
		fd, err := unix.MemfdCreate("greedy", 0)
		if err != nil {
			return 0, err
		}
		return write(os.NewFile(uintptr(fd), "memfd"))
	case "files":
		return processes(value)
	case "open":
		return open()
	case "polls":
		return polls(value)
	case "watches":
		return watches(value)
	case "terminals":
		return terminals(value)
	case "forks":
		forks()
	}
	return 0, fmt.Errorf("unknown verb")
}

func write(f *os.File) (n int, err error) {
	for block := make([]byte, 1<<16); err == nil; n++ {
		_, err = f.Write(block)
	}
	return n - 1, err
}

func inodes(dir string) (n int, err error) {
	for ; ; n++ {
		fd, err := unix.Open(filepath.Join(dir, strconv.Itoa(n)), unix.O_CREAT|unix.O_WRONLY, 0o600)
		if err != nil {
			return n, err
		}
		if err := unix.Close(fd); err != nil {
			return n, err
		}
	}
}

var kept [][]byte

func touch() (n int) {
	for ; ; n++ {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		kept = append(kept, block)
	}
}

// processes starts others like this one, each with one thing to do.
func processes(value string) (n int, err error) {
	most, err := strconv.Atoi(value)
	for ; n < most && err == nil; n++ {
		cmd := exec.Command(os.Args[0], "open")
		cmd.Stdout = os.Stdout
		err = cmd.Start()
	}
	return n, err
}

// open goes on where the limit of this process, raised as far as it goes, or
// another one is.
func open() (n int, err error) {
	return opened("/dev/null", math.MaxInt)
}

func terminals(value string) (n int, err error) {
	most, err := strconv.Atoi(value)
	if err != nil {
		return 0, err
	}
	return opened("/dev/ptmx", most)
}

func opened(name string, most int) (n int, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	for ; n < most; n++ {
		if _, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY, 0); err != nil {
			return n, err
		}
	}
	return n, nil
}

// polls has files polled so many times, each by many pollers.
func polls(value string) (n int, err error) {
	most, err := strconv.Atoi(value)
	if err != nil {
		return 0, err
	}
	var fds [300]int
	for i := range fds {
		if fds[i], err = unix.Eventfd(0, 0); err != nil {
			return 0, err
		}
	}
	poller := 0
	for ; n < most; n++ {
		if n%len(fds) == 0 {
			if poller, err = unix.EpollCreate1(0); err != nil {
				return n, err
			}
		}
		if err := unix.EpollCtl(poller, unix.EPOLL_CTL_ADD, fds[n%len(fds)], &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
			return n, err
		}
	}
	return n, nil
}

// watches makes so many files in the working directory, and watches each.
func watches(value string) (n int, err error) {
	most, err := strconv.Atoi(value)
	if err != nil {
		return 0, err
	}
	fd, err := unix.InotifyInit()
	if err != nil {
		return 0, err
	}
	for ; n < most; n++ {
		name := strconv.Itoa(n)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return n, err
		}
		if _, err := unix.InotifyAddWatch(fd, name, unix.IN_MODIFY); err != nil {
			return n, err
		}
	}
	return n, nil
}

// forks never returns. A child has but one thread and no runtime around it, so
// nothing but system calls is done here.
func forks() {
	pause := unix.Timespec{Nsec: 1e6}
	for {
		if _, _, err := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); err != 0 {
			if _, _, err := unix.RawSyscall(unix.SYS_NANOSLEEP, addr(&pause), 0, 0); err != 0 {
				continue
			}
		}
	}
}

func addr(t *unix.Timespec) uintptr { return uintptr(unsafe.Pointer(t)) }
