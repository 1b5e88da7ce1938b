// Package fdstore lets a process that lives long keep file descriptors for one
// that may be killed at any moment.
//
// A pipe, with what is in it, is gone when the last process that has it open is
// gone. If the supervisor is killed and a container dies before the next
// supervisor is there, only a third process can save the container's last
// words: the parent of the supervisor, which does nothing but keep a copy of
// the descriptor until it is told that it is not needed any more. A descriptor
// is safe from the moment Hold returns, because it is in the queue of a socket
// that the parent has open.
//
// In the parent: NewStore once, its Child among the ExtraFiles of each
// supervisor, `go store.Serve()`. In the supervisor: NewClient.
package fdstore

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/pkg/fdclose"
)

const (
	maxName = 255
	// maxHeld bounds what a faulty child can make its parent keep: two pipes
	// of each of 2048 containers. A parent that may not open twice as many keeps less.
	maxHeld = 4096
)

// Store is the side that keeps descriptors.
type Store struct {
	// Child is what the child inherits, every one that follows the same.
	Child *os.File
	// Warn hears what goes wrong with one descriptor; the others are served. It may be nil.
	Warn func(error)

	sock   *os.File
	mu     sync.Mutex
	held   map[string]int
	most   int
	warned bool // that something was not kept, and since then nothing was
	closed bool
}

// NewStore makes a store and the socket to reach it by.
func NewStore() (*Store, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make store of descriptors: socketpair: %w", err)
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		return nil, errors.Join(fmt.Errorf("make store of descriptors: %w", err), unix.Close(ends[0]), unix.Close(ends[1]))
	}
	return &Store{
		Child: os.NewFile(uintptr(ends[1]), "hold"),
		sock:  os.NewFile(uintptr(ends[0]), "hold"),
		held:  map[string]int{},
		most:  most(),
	}, nil
}

func most() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return maxHeld
	}
	return int(min(maxHeld, limit.Cur/2))
}

// Serve takes requests until Close.
func (s *Store) Serve() error {
	conn, err := s.sock.SyscallConn()
	if err != nil {
		return fmt.Errorf("serve store of descriptors: %w", err)
	}
	data := make([]byte, 1+maxName)
	control := make([]byte, unix.CmsgSpace(4))
	for {
		var n, oobn int
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			n, oobn, _, _, failed = unix.Recvmsg(int(fd), data, control, unix.MSG_CMSG_CLOEXEC)
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err != nil && s.isClosed() {
			return nil
		}
		if err == nil {
			err = failed
		}
		if err != nil {
			return fmt.Errorf("serve store of descriptors: %w", err)
		}
		if err := s.handle(data[:n], receivedFd(control[:oobn])); err != nil {
			return err
		}
	}
}

// receivedFd is the descriptor that came with a message, or -1.
func receivedFd(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return -1
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) > 0 {
			return fds[0]
		}
	}
	return -1
}

// handle carries out "+NAME" with a descriptor, "-NAME", or "?NAME".
func (s *Store) handle(msg []byte, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	drop := fd
	if len(msg) > 1 {
		name := string(msg[1:])
		old, has := s.held[name]
		switch {
		case msg[0] == '+' && fd < 0:
			s.refuse(name, errors.New("no descriptor has come with it: this process has no number left for one"))
		case msg[0] == '+' && !has && len(s.held)+fdclose.Left() >= s.most:
			s.refuse(name, fmt.Errorf("%d are held, which are all that may be", s.most))
		case msg[0] == '+':
			s.held[name], s.warned = fd, false
			drop = -1
			if has {
				drop = old
			}
		case msg[0] == '-' && has:
			delete(s.held, name)
			s.drop(name, old)
		case msg[0] == '?':
			if err := s.answer(name); err != nil {
				return err
			}
		}
	}
	if drop >= 0 {
		s.drop(string(msg[min(1, len(msg)):]), drop)
	}
	return nil
}

// refuse tells once, until there is room again, that what a child gives is not kept.
func (s *Store) refuse(name string, why error) {
	if !s.warned && s.Warn != nil {
		s.Warn(fmt.Errorf("hold %s: %w", name, why))
	}
	s.warned = true
}

// drop lets go of a descriptor. What is in it may be a container's, and so may be what
// is wrong with it.
func (s *Store) drop(name string, fd int) {
	if err := fdclose.Close(fd); err != nil && s.Warn != nil {
		s.Warn(fmt.Errorf("release %s: %w", name, err))
	}
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close ends Serve and gives everything up.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	errs := []error{s.sock.Close(), s.Child.Close()}
	for name, fd := range s.held {
		errs = append(errs, fdclose.Close(fd))
		delete(s.held, name)
	}
	return errors.Join(errs...)
}

// Client is the side that may be killed.
type Client struct{ sock *os.File }

// NewClient speaks to a store over the socket this process has inherited.
func NewClient(sock *os.File) *Client { return &Client{sock: sock} }

// Hold gives a copy of f into the store, under a name, in place of what has
// that name.
func (c *Client) Hold(name string, f *os.File) error { return c.HoldFd(name, int(f.Fd())) }

// HoldFd is Hold for a bare descriptor: to ask a File for its own makes it one
// that blocks.
func (c *Client) HoldFd(name string, fd int) error {
	return c.send("+", name, unix.UnixRights(fd))
}

// Release makes the store close what it has under the name.
func (c *Client) Release(name string) error { return c.send("-", name, nil) }

func (c *Client) send(verb, name string, control []byte) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("hold %q: a name has 1 to %d bytes", name, maxName)
	}
	// Not waiting: a parent that does not listen must not stop its child.
	err := unix.Sendmsg(int(c.sock.Fd()), []byte(verb+name), control, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	if err != nil {
		return fmt.Errorf("hold %s: %w", name, err)
	}
	return nil
}
