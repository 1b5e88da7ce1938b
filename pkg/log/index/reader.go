package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
)

// Guard is told when something begins that may wait for a disk, and when it ends.
type Guard interface {
	Begin()
	End()
}

// Reader gives the records of an index in order, first those of the
// rotated one, and goes on where it ended when it is asked again.
type Reader struct {
	path string
	file *os.File // nil if there is none yet
	off  int64
	buf  []byte
	lost bool // the last record was of a loss, and may have grown
	// Err is why All has ended before the end; nil: it has not.
	Err error
	// Guard minds the reading; nil: nobody does.
	Guard Guard
}

// OpenReader opens the older index if there is one, else the current.
func OpenReader(path string) (*Reader, error) {
	ix := &Reader{path: path}
	for _, name := range []string{path + ".0", path} {
		f, err := layout.OpenRegular(name, os.O_RDONLY, 0)
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

// All gives the records up to the end of the current index, and a loss that was
// at the end before once more.
func (ix *Reader) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		if ix.lost {
			ix.off -= recordSize
		}
		for {
			for r := range ix.rest() {
				if !yield(r) {
					return
				}
			}
			if ix.Err != nil || !ix.next() {
				return
			}
		}
	}
}

// rest gives the records that are left in the open file.
func (ix *Reader) rest() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		if ix.file == nil {
			return
		}
		if ix.buf == nil {
			ix.buf = make([]byte, 170*recordSize)
		}
		for {
			n, err := ix.read()
			if err != nil && !errors.Is(err, io.EOF) {
				ix.Err = fmt.Errorf("read index: %w", err)
			}
			if n < recordSize {
				return
			}
			for data := ix.buf[:n]; len(data) >= recordSize; data = data[recordSize:] {
				ix.off += recordSize
				r, ok := parseRecord(data)
				ix.lost = ok && r.Kind == KindLost
				if ok && !yield(r) {
					return
				}
			}
		}
	}
}

// read reads as many records as there are, and as the buffer holds.
func (ix *Reader) read() (int, error) {
	if ix.Guard != nil {
		ix.Guard.Begin()
		defer ix.Guard.End()
	}
	return ix.file.ReadAt(ix.buf, ix.off)
}

// next goes on to the current index if the open one is not it any more. It is
// called when the open one is read to its end; a record that was put there in
// between is found, because the file is looked at once more after the change.
func (ix *Reader) next() bool {
	f, err := layout.OpenRegular(ix.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		ix.Err = fmt.Errorf("read index: %w", err)
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
	ix.Close()
	ix.file, ix.off, ix.lost = f, 0, false
	return true
}

// Rewind begins again with the oldest record.
func (ix *Reader) Rewind() {
	ix.Close()
	again, err := OpenReader(ix.path)
	if err != nil {
		*ix = Reader{path: ix.path, Err: err}
		return
	}
	again.buf, again.Guard = ix.buf, ix.Guard
	*ix = *again
}

// more tells whether the open file has grown.
func (ix *Reader) more() bool {
	info, err := ix.file.Stat()
	return err == nil && info.Size() >= ix.off+recordSize
}

func sameFile(a, b *os.File) bool {
	var x, y unix.Stat_t
	return unix.Fstat(int(a.Fd()), &x) == nil && unix.Fstat(int(b.Fd()), &y) == nil && x.Ino == y.Ino && x.Dev == y.Dev
}

// Close makes All give nothing more until Rewind.
func (ix *Reader) Close() {
	if ix.file != nil {
		ix.file.Close() // Only read from.
	}
	ix.file = nil
}
