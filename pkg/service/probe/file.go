package probe

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// openIn opens a path as the process sees it, without reading or writing what
// is there. Links are followed, and never lead out of its root.
func openIn(p reap.Ident, path string) (*os.File, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", p.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root of process %d: %w", p.Pid, err)
	}
	defer unix.Close(root)
	if !p.Alive() {
		return nil, errors.New("it does not run")
	}
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, strings.TrimPrefix(path, "/"), how)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func checkFile(p reap.Ident, path string) error {
	f, err := openIn(p, path)
	if err != nil {
		return err
	}
	return f.Close()
}

// checkUnix connects to a socket of any type: which one it is, only an attempt
// can tell.
func checkUnix(p reap.Ident, path string) error {
	f, err := openIn(p, path)
	if err != nil {
		return err
	}
	defer f.Close()
	addr := &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d", f.Fd())}
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		if err = connectUnix(kind, addr); !errors.Is(err, unix.EPROTOTYPE) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", path, err)
	}
	return nil
}

func connectUnix(kind int, addr unix.Sockaddr) error {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	err = unix.Connect(fd, addr)
	if errors.Is(err, unix.EAGAIN) {
		err = nil // it listens, and has more to do than it can take
	}
	return errors.Join(err, unix.Close(fd))
}
