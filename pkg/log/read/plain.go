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

// plainLog is a log that has no index, such as one that LinuxKit wrote, with all that it
// had when it was opened.
type plainLog [3][]plainFile

type plainFile struct {
	file *os.File
	size int64
}

func (p plainLog) close() {
	for _, files := range p {
		for _, f := range files {
			f.file.Close() // Only read from.
		}
	}
}

// openPlain opens the files of each stream, the oldest first.
func (r *reader) openPlain() (p plainLog) {
	r.src.guard.Begin()
	defer r.src.guard.End()
	for _, s := range layout.Streams {
		path, n := r.at.File(s), 0
		for rotate.Exists(rotate.Old(path, n)) {
			n++
		}
		for ; n >= 0; n-- {
			name := path
			if n > 0 {
				name = rotate.Old(path, n-1)
			}
			f, err := layout.OpenRegular(name, os.O_RDONLY, 0)
			if err != nil {
				continue // There is none, or it is no log.
			}
			size, err := f.Seek(0, io.SeekEnd)
			if err == nil {
				_, err = f.Seek(0, io.SeekStart)
			}
			if err != nil {
				f.Close() // Only read from.
				continue
			}
			p[s] = append(p[s], plainFile{f, size})
		}
	}
	return p
}

// plain reads standard output, then standard error, without times.
func (r *reader) plain(p plainLog) error {
	for _, s := range layout.Streams {
		for _, f := range p[s] {
			if err := r.plainFile(s, f); err != nil {
				return err
			}
		}
		if err := r.endStream(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) plainFile(s layout.Stream, f plainFile) error {
	part := io.LimitReader(f.file, f.size)
	buf := make([]byte, 16<<10)
	for {
		r.src.guard.Begin()
		n, err := part.Read(buf)
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
