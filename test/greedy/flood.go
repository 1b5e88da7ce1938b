package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/unix"
)

// begun is how many times a flood has done its thing when it says so.
const begun = 50

// flood does something without pause, and never returns.
func flood(name string, do func() error) {
	for n := 1; ; n++ {
		err := do()
		if n == begun {
			fmt.Printf("greedy: %s: goes on after %d, %v\n", name, n, err)
		}
	}
}

// floods runs several of these at once, none of which waits for another.
func floods(socket string) (int, error) {
	signal.Ignore(unix.SIGUSR1)
	for name, do := range map[string]func() error{
		"notify": notify, "signals": signalSelf, "connections": func() error { return nonsense(socket) },
	} {
		go flood(name, do)
	}
	return 0, nil
}

func notify() error {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("STATUS=\xff\nWATCHDOG=1\nREADY=0"))
	return err
}

func signalSelf() error { return unix.Kill(unix.Getpid(), unix.SIGUSR1) }

// held are connections that nobody closes, the latest of many.
var held [64]net.Conn

// nonsense makes a connection, writes what is no request to it, and leaves it open for a while.
func nonsense(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	if last := held[0]; last != nil {
		last.Close()
	}
	copy(held[:], held[1:])
	held[len(held)-1] = conn
	_, err = conn.Write([]byte("{\"call\":"))
	return err
}

func orphans(string) (int, error) {
	flood("orphans", orphan)
	return 0, nil
}

// orphan leaves a process to whoever collects those whose parents have ended. A
// child has no runtime around it: nothing but system calls is done there.
func orphan() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid == 0 && errno == 0 {
		// The grandchild ends as well.
		_, _, _ = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	if errno != 0 {
		return errno
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return err
}

// forks never returns. A child has but one thread and no runtime around it, so
// nothing but system calls is done here.
func forks(string) (int, error) {
	pause := unix.Timespec{Sec: 1}
	for {
		if _, _, err := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); err != 0 {
			if _, _, err := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0); err != 0 {
				continue
			}
		}
	}
}
