package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// settleTime gathers lines that come together into one write to the disk.
const settleTime = 300 * time.Millisecond

// Keep carries what comes, until the context ends, and then the rest. It sleeps
// as long as nobody says anything. fault hears of the first of several failures
// of the same kind; each line tries again.
func (c Carrier) Keep(ctx context.Context, fault func(error)) {
	last := ""
	carry := func() {
		err := c.Carry()
		if err == nil {
			last = ""
		} else if err.Error() != last {
			last = err.Error()
			fault(err)
		}
	}
	err := c.await(ctx, func() bool {
		carry()
		select {
		case <-ctx.Done():
			return false
		case <-time.After(settleTime):
			return true
		}
	})
	if err != nil {
		fault(err)
	}
	carry()
}

// await calls do, and again whenever the journal has grown meanwhile, until it
// says no or the context ends.
func (c Carrier) await(ctx context.Context, do func() bool) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch journal: inotify: %w", err)
	}
	w := os.NewFile(uintptr(fd), "inotify")
	defer w.Close() // only read from
	if _, err := unix.InotifyAddWatch(fd, c.From, unix.IN_MODIFY); err != nil {
		return fmt.Errorf("watch journal: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = w.SetReadDeadline(time.Unix(1, 0)) })()
	events := make([]byte, 1<<10)
	for do() {
		_, err := w.Read(events)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch journal: %w", err)
		}
	}
	return nil
}

// Follow gives the lines of this boot and then those that come, until the
// context ends.
func (c Carrier) Follow(ctx context.Context, yield func(Line, error) bool) {
	at, more := c.readAll(yield)
	if !more {
		return
	}
	err := c.await(ctx, func() bool {
		at, more = readLines(c.From, at, yield)
		return more
	})
	if err != nil && more {
		yield(Line{}, err)
	}
}
