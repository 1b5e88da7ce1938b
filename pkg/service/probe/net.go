package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

var loopbacks = []unix.Sockaddr{
	&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}},
	&unix.SockaddrInet6{Addr: [16]byte{15: 1}},
}

func checkTCP(ctx context.Context, p reap.Ident, port int) error {
	f, err := dial(ctx, p, port)
	if err != nil {
		return err
	}
	return f.Close()
}

// dial connects to a port on the loopback of the process's network namespace.
func dial(ctx context.Context, p reap.Ident, port int) (*os.File, error) {
	var faults []error
	for _, addr := range loopbacks {
		f, err := dialAddr(ctx, p, addr, port)
		if err == nil {
			return f, nil
		}
		faults = append(faults, err)
	}
	// That there is no IPv6 is of no interest; what IPv4 said is.
	return nil, faults[0]
}

func dialAddr(ctx context.Context, p reap.Ident, addr unix.Sockaddr, port int) (*os.File, error) {
	family := unix.AF_INET
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		addr = &unix.SockaddrInet4{Addr: a.Addr, Port: port}
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
		addr = &unix.SockaddrInet6{Addr: a.Addr, Port: port}
	}
	fd, err := socketIn(p, family)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "tcp:"+strconv.Itoa(port))
	if err := connect(ctx, f, addr); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to port %d: %w", port, err), f.Close())
	}
	return f, nil
}

// connect waits in Go's poller, not in a thread.
func connect(ctx context.Context, f *os.File, addr unix.Sockaddr) error {
	if d, ok := ctx.Deadline(); ok {
		if err := f.SetDeadline(d); err != nil {
			return err
		}
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	begun := false
	err = conn.Write(func(fd uintptr) bool {
		if !begun {
			begun = true
			fault = unix.Connect(int(fd), addr)
			return !errors.Is(fault, unix.EINPROGRESS)
		}
		if !writable(fd) {
			return false
		}
		fault = soError(fd)
		return true
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return fault
}

func writable(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

func soError(fd uintptr) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// socketIn makes a TCP socket in the network namespace of a process. A socket
// stays in the namespace it was made in, so the thread goes there only for
// that; it has no other goroutine meanwhile, and if it does not find back, it
// ends with this one.
func socketIn(p reap.Ident, family int) (fd int, err error) {
	type result struct {
		fd  int
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		fd, back, err := socketThere(p, family)
		if back {
			runtime.UnlockOSThread()
		}
		done <- result{fd, err}
	}()
	r := <-done
	return r.fd, r.err
}

func socketThere(p reap.Ident, family int) (fd int, back bool, err error) {
	newSocket := func() (int, error) {
		return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.Pid))
	if err != nil {
		return -1, true, fmt.Errorf("enter network namespace: %w", err)
	}
	defer there.Close()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return -1, true, fmt.Errorf("enter network namespace: %w", err)
	}
	defer here.Close()
	// The namespace is only right if it is still this process's.
	if !p.Alive() {
		return -1, true, errors.New("it does not run")
	}
	if same(here, there) {
		fd, err = newSocket()
		return fd, true, err
	}
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return -1, true, fmt.Errorf("enter network namespace: %w", err)
	}
	fd, err = newSocket()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return fd, false, err
	}
	return fd, true, err
}

func same(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}
