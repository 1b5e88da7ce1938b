package read

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/index"
)

// follow yields what comes, until the context ends. It sleeps until the directory
// of the spools changes.
func (r *reader) follow(ix *index.Reader) error {
	w, err := watch(r.at.Memory)
	if err != nil {
		return err
	}
	defer w.Close()
	defer context.AfterFunc(r.ctx, func() {
		// A reader that waits wakes up; one that does not sees ctx itself.
		if err := w.SetReadDeadline(time.Unix(1, 0)); err != nil {
			w.Close()
		}
	})()
	events := make([]byte, 4<<10)
	for {
		if err := r.more(ix); err != nil {
			return err
		}
		if r.ctx.Err() != nil {
			return errDone
		}
		if _, err := w.Read(events); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("follow log: %w", err)
		}
	}
}

// more reads what has come since.
func (r *reader) more(ix *index.Reader) error {
	if err := r.look(); err != nil {
		return err
	}
	if ix != nil {
		for rec := range ix.All() {
			r.src.noteNew(rec)
			if err := r.record(rec); err != nil {
				return err
			}
		}
		if ix.Err != nil {
			return ix.Err
		}
	}
	r.src.match()
	return r.memory()
}

// noteNew notes a record unless it only says again what is known, as those at
// the beginning of an index do.
func (s *source) noteNew(r index.Record) {
	segs := s.Segs[r.Stream]
	switch r.Kind {
	case index.KindSegment:
		if len(segs) > 0 && segs[len(segs)-1].Start >= r.Offset {
			return
		}
	case index.KindLost:
		end := r.Offset + int64(r.Length)
		if len(segs) > 0 && segs[len(segs)-1].Start >= end {
			return
		}
	}
	s.Note(r)
}

// watch gives a file that can be read when something in dir is written or named.
func watch(dir string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("follow log: inotify: %w", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("follow log: %w", err), f.Close())
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		return nil, errors.Join(fmt.Errorf("follow log: watch %s: %w", dir, err), f.Close())
	}
	return f, nil
}
