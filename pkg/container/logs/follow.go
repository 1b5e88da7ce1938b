package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// follow yields what comes, until the context ends. It sleeps until the index
// or its folder changes.
func (r *reader) follow(ix *indexReader) error {
	w, err := watch(filepath.Dir(r.at.index()))
	if err != nil {
		return err
	}
	defer w.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.ctx.Done():
			// A reader that waits wakes up; one that does not sees ctx itself.
			if err := w.SetReadDeadline(time.Unix(1, 0)); err != nil {
				w.Close()
			}
		case <-stop:
		}
	}()
	events := make([]byte, 4<<10)
	for {
		if err := r.records(ix); err != nil {
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
