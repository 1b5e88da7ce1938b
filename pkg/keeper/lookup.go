package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// ErrUnrecorded says that a process has ended and nobody recorded how.
var ErrUnrecorded = errors.New("exit status was not recorded")

// recordDelay is how long Wait gives the keeper to record an end that the
// pidfd has already told of.
const recordDelay = 10 * time.Second

// reader is somebody who asks again and again: what it has seen it does not read again.
type reader struct{ seen uint64 }

// lookup finds how a process ended. It returns false if the ledger in dir does not know.
func (r *reader) lookup(dir string, id reap.Ident) (Exit, bool, error) {
	f, err := os.Open(ledgerPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return Exit{}, false, nil
	}
	if err != nil {
		return Exit{}, false, fmt.Errorf("read ledger: %w", err)
	}
	e, found, err := r.search(f, id)
	return e, found, errors.Join(err, f.Close())
}

// atOnce is how many records are read at a time: when a thousand services end together, each is looked
// for among the ends of all.
const atOnce = 100

// search goes back from the newest record.
func (r *reader) search(f *os.File, id reap.Ident) (Exit, bool, error) {
	last, err := newest(f)
	if err != nil {
		return Exit{}, false, err
	}
	left := min(last-min(r.seen, last), slots)
	r.seen = last
	var block [atOnce * recordSize]byte
	for seq := last; left > 0; {
		n := min(left, atOnce, 1+(seq-1)%slots) // the ring ends there
		b := block[:n*recordSize]
		if _, err := f.ReadAt(b, offset(seq-n+1)); err != nil {
			return Exit{}, false, fmt.Errorf("read ledger: %w", err)
		}
		for ; len(b) > 0; b = b[:len(b)-recordSize] {
			if _, e, ok := decode(b[len(b)-recordSize:]); ok && e.matches(id) {
				return e, true, nil
			}
		}
		seq, left = seq-n, left-n
	}
	return Exit{}, false, nil
}

// matches compares the start time where both sides know it. A record without
// one fits if it was made after the process had started.
func (e Exit) matches(id reap.Ident) bool {
	switch {
	case e.Pid != id.Pid:
		return false
	case e.Start != 0 && id.Start != 0:
		return e.Start == id.Start
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture Go has
	return e.At >= time.Duration(id.Start)*tick
}

// Wait waits for the end of a process that the keeper will reap, and returns
// how it ended, even if that was long ago.
func Wait(ctx context.Context, dir string, id reap.Ident) (Exit, error) {
	if err := awaitEnd(ctx, id); err != nil {
		return Exit{}, err
	}
	var r reader
	deadline := time.Now().Add(recordDelay)
	for pause := 500 * time.Microsecond; ; pause = min(2*pause, 100*time.Millisecond) {
		e, found, err := r.lookup(dir, id)
		if found || err != nil {
			return e, err
		}
		if time.Now().After(deadline) {
			return Exit{}, fmt.Errorf("process %d: %w", id.Pid, ErrUnrecorded)
		}
		select {
		case <-ctx.Done():
			return Exit{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// awaitEnd returns when the process has ended. It costs a file descriptor in
// Go's poller and no thread.
func awaitEnd(ctx context.Context, id reap.Ident) error {
	fd, err := id.Open()
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return errors.Join(fmt.Errorf("watch process %d: %w", id.Pid, err), unix.Close(fd))
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	// An error would mean that the fd cannot be polled, which Read tells.
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch process %d: %w", id.Pid, err)
	}
	err = conn.Read(ended)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("watch process %d: %w", id.Pid, err)
	}
	return nil
}

// ended asks a pidfd whether its process has.
func ended(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}
