package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
)

// openDirect gives the container a file as it is.
func (w *Writer) openDirect() error {
	for _, s := range layout.Streams {
		f, err := w.directFile()
		if err != nil {
			return errors.Join(fmt.Errorf("open log of %s: %w", w.plan.at.Name, err), w.Started())
		}
		w.ends[s] = f
	}
	return nil
}

func (w *Writer) directFile() (*os.File, error) {
	if w.opts.Direct == nil {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	fd, err := unix.FcntlInt(w.opts.Direct.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", w.opts.Direct.Name(), err)
	}
	return os.NewFile(uintptr(fd), w.opts.Direct.Name()), nil
}
