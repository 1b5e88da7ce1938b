// Package linger puts into a socket what makes the wrong one wait: connections that,
// once nobody has them open, hold who lets go of them last until their data is taken.
package linger

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"slipway/pkg/fdclose"
)

// forever is in seconds.
const forever = 1 << 30

// Messages is how many Send sends.
const Messages = 4

// Send sends messages over a socket of the Unix domain, and keeps no copy of what
// is in them: twice both ends of a connection, of which the one has SO_LINGER and data
// that the other does not take. Which end comes first differs, as kernels do in what
// they let go of first.
func Send(sock int) error {
	return errors.Join(send(sock, false), send(sock, true))
}

func send(sock int, otherFirst bool) error {
	a, b, err := connection()
	if err != nil {
		return fmt.Errorf("make a connection: %w", err)
	}
	fill(a)
	err = unix.SetsockoptLinger(a, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: forever})
	ends := []int{a, b}
	if otherFirst {
		ends = []int{b, a}
	}
	for _, fd := range ends {
		if err == nil {
			err = unix.Sendmsg(sock, []byte("STATUS=waits\n"), unix.UnixRights(fd), nil, 0)
		}
	}
	// Whoever reads from the socket may have let go of them already.
	return errors.Join(err, fdclose.Close(a), fdclose.Close(b))
}

func connection() (a, b int, err error) {
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	l, err := unix.Socket(unix.AF_INET, kind, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(l)
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(l, loopback), unix.Listen(l, 1)); err != nil {
		return 0, 0, err
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return 0, 0, err
	}
	if a, err = unix.Socket(unix.AF_INET, kind, 0); err != nil {
		return 0, 0, err
	}
	if err = unix.Connect(a, at); err == nil {
		b, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	}
	if err != nil {
		return 0, 0, errors.Join(err, unix.Close(a))
	}
	return a, b, nil
}

// fill sends until nothing more is taken.
func fill(fd int) {
	for {
		if _, err := unix.SendmsgN(fd, make([]byte, 64<<10), nil, nil, unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}
