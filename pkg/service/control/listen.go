package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Keeper keeps an open file for the next supervisor.
type Keeper interface {
	HoldFd(name string, fd int) error
	Take(name string) (*os.File, error)
}

// kept is the name that the socket has with the Keeper.
const kept = "control.sock"

// Listen makes the socket, or goes on with the one that a supervisor before had,
// which is bound into containers and may have clients waiting in its queue. A
// nil Keeper has none.
func Listen(path string, s Supervisor, k Keeper) (*Server, error) {
	sock, err := takeSocket(path, k)
	if err != nil {
		sock, err = makeSocket(path)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	sock.SetUnlinkOnClose(false) // Close removes it, whose ever it is
	server := &Server{sup: s, path: path, sock: sock, sessions: make(chan struct{}, maxSessions)}
	if err := errors.Join(own(sock), keepSocket(sock, k)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for control: %w", err), server.Close())
	}
	return server, nil
}

// takeSocket goes on with a predecessor's, if its name still leads to a socket.
func takeSocket(path string, k Keeper) (*net.UnixListener, error) {
	if k == nil {
		return nil, os.ErrNotExist
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return nil, os.ErrNotExist
	}
	f, err := k.Take(kept)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("take control socket: %w", err)
	}
	return l.(*net.UnixListener), nil
}

func makeSocket(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	old := unix.Umask(0o177) // there must be no moment at which others can connect
	defer unix.Umask(old)
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// own makes this process the one that clients see behind the socket, and its
// queue so short that it is worth waiting in: Go's is as long as the kernel
// allows.
func own(sock *net.UnixListener) error {
	return control(sock, func(fd int) error { return unix.Listen(fd, 2*maxClients) })
}

func keepSocket(sock *net.UnixListener, k Keeper) error {
	if k == nil {
		return nil
	}
	return control(sock, func(fd int) error { return k.HoldFd(kept, fd) })
}

func control(sock *net.UnixListener, do func(fd int) error) error {
	raw, err := sock.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	err = raw.Control(func(fd uintptr) { doErr = do(int(fd)) })
	return errors.Join(err, doErr)
}
