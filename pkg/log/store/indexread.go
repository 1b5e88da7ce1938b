package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// Guard is told when something begins that may wait for a disk, and when it ends.
type Guard interface {
	begin()
	end()
}

// indexReader gives the records of an index in order, first those of the
// rotated one, and goes on where it ended when it is asked again.
type indexReader struct {
	path string
	file *os.File // nil if there is none yet
	off  int64
	buf  []byte
	lost bool // the last record was of a loss, and may have grown
	err  error
	// guard minds the reading; nil: nobody does.
	guard Guard
}

// openIndexReader opens the older index if there is one, else the current.
func openIndexReader(path string) (*indexReader, error) {
	ix := &indexReader{path: path}
	for _, name := range []string{path + ".0", path} {
		f, err := openRegular(name, os.O_RDONLY, 0)
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

// all gives the records up to the end of the current index, and a loss that was
// at the end before once more.
func (ix *indexReader) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		if ix.lost {
			ix.off -= recordSize
		}
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
			n, err := ix.read()
			if err != nil && !errors.Is(err, io.EOF) {
				ix.err = fmt.Errorf("read index: %w", err)
			}
			if n < recordSize {
				return
			}
			for data := ix.buf[:n]; len(data) >= recordSize; data = data[recordSize:] {
				ix.off += recordSize
				r, ok := parseRecord(data)
				ix.lost = ok && r.Kind == kindLost
				if ok && !yield(r) {
					return
				}
			}
		}
	}
}

// read reads as many records as there are, and as the buffer holds.
func (ix *indexReader) read() (int, error) {
	if ix.guard != nil {
		ix.guard.begin()
		defer ix.guard.end()
	}
	return ix.file.ReadAt(ix.buf, ix.off)
}

// next goes on to the current index if the open one is not it any more. It is
// called when the open one is read to its end; a record that was put there in
// between is found, because the file is looked at once more after the change.
func (ix *indexReader) next() bool {
	f, err := openRegular(ix.path, os.O_RDONLY, 0)
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
	ix.file, ix.off, ix.lost = f, 0, false
	return true
}

// rewind begins again with the oldest record.
func (ix *indexReader) rewind() {
	ix.close()
	again, err := openIndexReader(ix.path)
	if err != nil {
		*ix = indexReader{path: ix.path, err: err}
		return
	}
	again.buf, again.guard = ix.buf, ix.guard
	*ix = *again
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
