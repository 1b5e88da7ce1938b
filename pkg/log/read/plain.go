package read

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
)

// plain reads a log that has no index, such as one that LinuxKit wrote: its
// standard output, then its standard error, without times.
func (r *reader) plain() error {
	for _, s := range layout.Streams {
		path, n := r.at.File(s), 0
		r.src.guard.Begin()
		for rotate.Exists(rotate.Old(path, n)) {
			n++
		}
		r.src.guard.End()
		for ; n >= 0; n-- {
			name := path
			if n > 0 {
				name = rotate.Old(path, n-1)
			}
			if err := r.plainFile(s, name); err != nil {
				return err
			}
		}
		if err := r.endStream(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) plainFile(s layout.Stream, name string) error {
	r.src.guard.Begin()
	f, err := layout.OpenRegular(name, os.O_RDONLY, 0)
	r.src.guard.End()
	if err != nil {
		return nil //nolint:nilerr // There is none, or it is no log.
	}
	defer f.Close() // Only read from.
	buf := make([]byte, 16<<10)
	for {
		r.src.guard.Begin()
		n, err := f.Read(buf)
		r.src.guard.End()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if err := r.cut(s, buf[:n], time.Time{}, true); err != nil {
			return err
		}
	}
}
