package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/fdclose"
)

// maxMessage bounds a message; sd_notify's are a line or two.
const maxMessage = 4 << 10

// A service may send so many messages at once; after that they are read one in
// a while, and the kernel makes it wait.
const (
	burst     = 50
	slowPause = 100 * time.Millisecond
)

// Notify is the socket on which one service says how it does, in the protocol
// of sd_notify(3). Whoever can reach the socket is the service: the pid that a
// message claims is not asked.
type Notify struct {
	file  *os.File
	path  string
	ready chan struct{} // closed when READY=1 has come
	once  sync.Once
}

// ListenNotify makes the socket at path in place of an earlier one.
func ListenNotify(path string) (*Notify, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen for readiness: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("listen for readiness: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	if err == nil {
		// The service may run as any user of its container.
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for readiness at %s: %w", path, err), unix.Close(fd))
	}
	return AdoptNotify(os.NewFile(uintptr(fd), path), path), nil
}

// AdoptNotify goes on with a socket that ListenNotify made in a process that is
// gone, and that somebody has kept.
func AdoptNotify(f *os.File, path string) *Notify {
	n := &Notify{file: f, path: path, ready: make(chan struct{})}
	go n.read()
	return n
}

// Keep hands the socket to somebody who keeps a copy of it.
func (n *Notify) Keep(keep func(fd int) error) error {
	conn, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	var kept error
	err = conn.Control(func(fd uintptr) { kept = keep(int(fd)) })
	return errors.Join(err, kept)
}

// Await waits until the container is ready: by its word if it is to say so
// itself, else by looking (see Await). A nil Notify hears nothing.
func (n *Notify) Await(ctx context.Context, p bundle.Probe, t Target, failed func(error)) error {
	if p.Kind != bundle.ProbeNotify {
		return Await(ctx, p, t, failed)
	}
	if n == nil {
		<-ctx.Done()
		return errors.New("no socket to hear it on")
	}
	select {
	case <-n.ready:
		return nil
	case <-ctx.Done():
		return errors.New("READY=1 did not come")
	}
}

// Close ends the listening.
func (n *Notify) Close() error {
	if n == nil {
		return nil
	}
	// Whoever closes the socket last drops what is in it. That is this copy, not the
	// File, which is closed by whoever reads from it.
	last := -1
	err := n.Keep(func(fd int) (err error) {
		last, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	err = errors.Join(err, n.file.Close())
	if last >= 0 {
		err = errors.Join(err, fdclose.Close(last))
	}
	if rmErr := os.Remove(n.path); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}

// read reads to the end, also after READY=1: a full socket would block the
// service at its next message.
func (n *Notify) read() {
	buf := make([]byte, maxMessage)
	left, since := burst, time.Now()
	for {
		got, open := n.take(buf)
		if !open {
			return
		}
		// An empty message reads as the end of a file, and is none.
		if says(buf[:got], "READY=1") {
			n.once.Do(func() { close(n.ready) })
		}
		if time.Since(since) > time.Second {
			left, since = burst, time.Now()
		}
		if left--; left < 0 {
			time.Sleep(slowPause)
		}
	}
}

// take reads one message, as long as the socket is open. File descriptors sent along
// are dropped by the kernel, since read(2) does not ask for them.
func (n *Notify) take(buf []byte) (got int, open bool) {
	conn, err := n.file.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = conn.Read(func(fd uintptr) bool {
		var failed error
		fdclose.Call(func() { got, failed = unix.Read(int(fd), buf) })
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	return max(got, 0), err == nil
}

func says(message []byte, line string) bool {
	for l := range bytes.Lines(message) {
		if string(bytes.TrimSpace(l)) == line {
			return true
		}
	}
	return false
}
