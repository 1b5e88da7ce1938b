package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// indexReader gives the records of an index in order, first those of the
// rotated one, and goes on where it ended when it is asked again.
type indexReader struct {
	path string
	file *os.File // nil if there is none yet
	off  int64
	buf  []byte
	err  error
}

// openIndexReader opens the older index if there is one, else the current.
func openIndexReader(path string) (*indexReader, error) {
	ix := &indexReader{path: path}
	for _, name := range []string{path + ".0", path} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		ix.file = f
		return ix, nil
	}
	return ix, nil
}

// all gives the records up to the end of the current index.
func (ix *indexReader) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for {
			for r := range ix.rest() {
				if !yield(r) {
					return
				}
			}
			if ix.err != nil || !ix.next() {
				return
			}
		}
	}
}

// rest gives the records that are left in the open file.
func (ix *indexReader) rest() iter.Seq[record] {
	return func(yield func(record) bool) {
		if ix.file == nil {
			return
		}
		if ix.buf == nil {
			ix.buf = make([]byte, 170*recordSize)
		}
		for {
			n, err := ix.file.ReadAt(ix.buf, ix.off)
			if err != nil && !errors.Is(err, io.EOF) {
				ix.err = fmt.Errorf("read index: %w", err)
			}
			if n < recordSize {
				return
			}
			for data := ix.buf[:n]; len(data) >= recordSize; data = data[recordSize:] {
				ix.off += recordSize
				if r, ok := parseRecord(data); ok && !yield(r) {
					return
				}
			}
		}
	}
}

// next goes on to the current index if the open one is not it any more. It is
// called when the open one is read to its end; a record that was put there in
// between is found, because the file is looked at once more after the change.
func (ix *indexReader) next() bool {
	f, err := os.Open(ix.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		ix.err = fmt.Errorf("read index: %w", err)
		return false
	}
	if ix.file != nil && sameFile(ix.file, f) {
		f.Close() // Only read from.
		return false
	}
	if ix.file != nil && ix.more() {
		f.Close() // Only read from.
		return true
	}
	ix.close()
	ix.file, ix.off = f, 0
	return true
}

// more tells whether the open file has grown.
func (ix *indexReader) more() bool {
	info, err := ix.file.Stat()
	return err == nil && info.Size() >= ix.off+recordSize
}

func sameFile(a, b *os.File) bool {
	var x, y unix.Stat_t
	return unix.Fstat(int(a.Fd()), &x) == nil && unix.Fstat(int(b.Fd()), &y) == nil && x.Ino == y.Ino && x.Dev == y.Dev
}

func (ix *indexReader) close() {
	if ix.file != nil {
		ix.file.Close() // Only read from.
	}
	ix.file = nil
}
