package fdstore

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Answers of the store to "?NAME": the descriptor comes with the first.
const (
	has    = '='
	hasNot = '!'
)

// answerTime bounds the wait for a parent that does not answer.
const answerTime = 2 * time.Second

// answer sends a copy of a descriptor back. It never waits: a child that does
// not read gets no answer.
func (s *Store) answer(name string) error {
	fd, is := s.held[name]
	verb, rights := string(hasNot), []byte(nil)
	if is {
		verb, rights = string(has), unix.UnixRights(fd)
	}
	conn, err := s.sock.SyscallConn()
	if err != nil {
		return fmt.Errorf("serve store of descriptors: %w", err)
	}
	return conn.Control(func(sock uintptr) {
		// One that is gone, or has stopped reading, is none of our faults.
		_ = unix.Sendmsg(int(sock), []byte(verb+name), rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	})
}

// Take gets a copy of what an earlier child gave under the name; the store keeps
// its own. Without one the error is ErrNotExist. It is not for several
// goroutines at a time.
func (c *Client) Take(name string) (*os.File, error) {
	sock := int(c.sock.Fd())
	limit := unix.NsecToTimeval(int64(answerTime))
	if err := unix.SetsockoptTimeval(sock, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return nil, fmt.Errorf("take %s: %w", name, err)
	}
	if err := c.send("?", name, nil); err != nil {
		return nil, err
	}
	data, control := make([]byte, 1+maxName), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(sock, data, control, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("take %s: %w", name, err)
		}
		fd := receivedFd(control[:oobn])
		switch answer := string(data[:n]); {
		case answer == string(has)+name && fd >= 0:
			return os.NewFile(uintptr(fd), name), nil
		case fd >= 0:
			// An answer to a child before, that was killed while it waited.
			if err := unix.Close(fd); err != nil {
				return nil, fmt.Errorf("take %s: %w", name, err)
			}
		case answer == string(hasNot)+name || n == 0:
			return nil, fmt.Errorf("take %s: %w", name, os.ErrNotExist)
		}
	}
}
