package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// makeFifo makes a new pipe in place of an old one.
func makeFifo(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return fmt.Errorf("make pipe %s: %w", path, err)
	}
	return nil
}

// openEnd opens what the container gets. For reading as well: a reader exists
// as long as the container does, so that it never gets SIGPIPE while no process
// of ours is there. It is not the reader's open file, whose O_NONBLOCK the
// container would otherwise see and could clear.
func openEnd(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open pipe %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openFifo opens the reading side, also for writing, so that there is no end of
// file to handle: the container's death says when it is over.
func (s *stream) openFifo(fresh bool) error {
	path := s.at.Fifo(s.id)
	if fresh {
		if err := makeFifo(path); err != nil {
			return err
		}
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open pipe %s: %w", path, err)
	}
	s.fifo = fd
	return nil
}

// drain takes what is in the pipe now. A process that still writes, such as a
// daemon the container left behind, does not keep it from ending.
func (s *stream) drain(p *Pump) {
	left, err := unix.IoctlGetInt(s.fifo, unix.TIOCINQ)
	if err != nil {
		p.log.Warn("drain pipe", "log", s.name(), "err", err)
		return
	}
	for left > 0 {
		n := s.take(p)
		if n == 0 {
			return
		}
		left -= n
	}
}

// dropFifo ends the pipe's life. Whoever still writes to it waits once it is
// full, if the container left somebody behind, but with nobody else reading
// there would be no one to take it.
func (s *stream) dropFifo(h Holder) error {
	errs := []error{unix.Close(s.fifo), os.Remove(s.at.Fifo(s.id))}
	s.fifo = -1
	if h != nil {
		errs = append(errs, h.Release(s.name()))
	}
	return errors.Join(errs...)
}

func (s *stream) hold(h Holder) error {
	if h == nil {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(s.fifo), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("duplicate pipe: %w", err)
	}
	f := os.NewFile(uintptr(fd), s.at.Fifo(s.id))
	return errors.Join(h.Hold(s.name(), f), f.Close())
}
