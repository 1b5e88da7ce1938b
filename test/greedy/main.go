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
//	timers=N     make N timers
//	pipes=N      make N pipes of the usual size
//	netlink=N    have N netlink sockets full of what nobody reads
//	locks=N      lock N parts of files in the working directory
//	filters=N,M  have N sockets with a filter of M instructions
//	spaces=N     have N UTS namespaces
//	aio=N        make N contexts for asynchronous input and output
//	messages     leave queues of System V and POSIX messages and semaphores, until there is no room
//	floods=PATH  without pause, from then on: readiness messages that are none, signals to itself,
//	             and requests that are none to the socket PATH
//	orphans      leave processes to others to collect, without pause
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, value, _ := strings.Cut(arg, "=")
		take := verbs[verb]
		if take == nil {
			take = func(string) (int, error) { return 0, errors.New("unknown verb") }
		}
		n, err := take(value)
		fmt.Printf("greedy: %s: %d, %v\n", verb, n, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// verbs take until there is an error, and return how much it was. Some never return.
var verbs = map[string]func(value string) (n int, err error){
	"wait": wait, "fill": fill, "inodes": inodes, "memory": touch, "memfd": memfd, "files": many(process), "open": open,
	"terminals": terminals, "forks": forks, "polls": polls, "watches": watches, "timers": many(timer), "pipes": many(pipe),
	"netlink": many(fullSocket), "locks": locks, "filters": filters, "spaces": many(space), "aio": many(context),
	"messages": messages, "floods": floods, "orphans": orphans,
}

// many does something as many times as the value says.
func many(do func() error) func(string) (int, error) {
	return func(value string) (int, error) { return times(value, func(int) error { return do() }) }
}

func times(value string, do func(n int) error) (n int, err error) {
	most, err := strconv.Atoi(value)
	for ; n < most && err == nil; n++ {
		err = do(n)
	}
	return n, err
}

func wait(name string) (int, error) {
	for _, err := os.Stat(name); err != nil; _, err = os.Stat(name) {
		time.Sleep(100 * time.Millisecond)
	}
	return 0, nil
}

func fill(name string) (int, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	return write(f)
}

func memfd(string) (int, error) {
	fd, err := unix.MemfdCreate("greedy", 0)
	if err != nil {
		return 0, err
	}
	return write(os.NewFile(uintptr(fd), "memfd"))
}

// space moves this thread to another namespace, and keeps a descriptor of it.
func space() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		return err
	}
	_, err := unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY, 0)
	return err
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

func touch(string) (n int, err error) {
	for ; ; n++ {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		kept = append(kept, block)
	}
}

// process starts another like this one, with one thing to do.
func process() error {
	cmd := exec.Command(os.Args[0], "open")
	cmd.Stdout = os.Stdout
	return cmd.Start()
}

// open goes on where the limit of this process, raised as far as it goes, or
// another one is.
func open(string) (n int, err error) { return opened("/dev/null", math.MaxInt) }

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
	var fds [300]int
	for i := range fds {
		if fds[i], err = unix.Eventfd(0, 0); err != nil {
			return 0, err
		}
	}
	poller := 0
	return times(value, func(n int) (err error) {
		if n%len(fds) == 0 {
			if poller, err = unix.EpollCreate1(0); err != nil {
				return err
			}
		}
		return unix.EpollCtl(poller, unix.EPOLL_CTL_ADD, fds[n%len(fds)], &unix.EpollEvent{Events: unix.EPOLLIN})
	})
}

// watches makes so many files in the working directory, and watches each.
func watches(value string) (n int, err error) {
	fd, err := unix.InotifyInit()
	if err != nil {
		return 0, err
	}
	return times(value, func(n int) error {
		name := strconv.Itoa(n)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
		_, err := unix.InotifyAddWatch(fd, name, unix.IN_MODIFY)
		return err
	})
}

func timer() error {
	var id int
	return call(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&id)))
}

// pipe asks for one, and that it is as long as the kernel makes them.
func pipe() error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	size, err := unix.FcntlInt(uintptr(ends[0]), unix.F_GETPIPE_SZ, 0)
	if err == nil && size < 1<<16 {
		err = fmt.Errorf("a pipe of %d bytes", size)
	}
	return err
}

// fullSocket sends itself as much as it takes: some 370 KB of the kernel's memory.
func fullSocket() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_USERSOCK)
	if err != nil {
		return err
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1<<30); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	self, err := unix.Getsockname(fd)
	for message := make([]byte, 90000); err == nil; {
		// The length of the message comes first (netlink(7)).
		binary.NativeEndian.PutUint32(message, uint32(len(message)))
		err = unix.Sendto(fd, message, unix.MSG_DONTWAIT, self)
	}
	if err != unix.EAGAIN {
		return err
	}
	return nil
}

// context makes one that may have 128 requests under way.
func context() error {
	var id uint64
	return call(unix.SYS_IO_SETUP, 128, uintptr(unsafe.Pointer(&id)))
}

// messages makes objects that stay when it is gone until there is no room for more,
// and counts them.
func messages(string) (n int, err error) {
	made := 0
	for _, more := range []func() error{queue, semaphores, posixQueue(&made)} {
		for err = nil; err == nil; n++ {
			err = more()
		}
		if !errors.Is(err, unix.ENOSPC) {
			return n, err
		}
	}
	return n, nil
}

// queue makes a queue with as many of the smallest messages as it takes.
func queue() error {
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, unix.IPC_CREAT|0o600, 0)
	if errno != 0 {
		return errno
	}
	message := struct {
		kind int
		text [8]byte
	}{kind: 1}
	for errno == 0 {
		_, _, errno = unix.Syscall6(unix.SYS_MSGSND, id, uintptr(unsafe.Pointer(&message)), 1, unix.IPC_NOWAIT, 0, 0)
	}
	if errno != unix.EAGAIN {
		return errno
	}
	return nil
}

func semaphores() error { return call(unix.SYS_SEMGET, unix.IPC_PRIVATE, 8000, unix.IPC_CREAT|0o600) }

func posixQueue(n *int) func() error {
	return func() error {
		*n++
		name, err := unix.BytePtrFromString("greedy-" + strconv.Itoa(*n))
		if err != nil {
			return err
		}
		return call(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_RDWR, 0o600)
	}
}

// call makes a system call whose result is of no use.
func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}
