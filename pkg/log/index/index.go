package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
)

// indexAhead is reserved behind the end of an index, so that losses can be
// counted on a full disk.
const indexAhead = 4 << 10

// Limit is where an index is rotated, in bytes; two are kept. It is half of what
// a log may be that comes in lines of a hundred bytes. What lies before the first
// record is still in the files, and read without its time.
func Limit(logMax int64, keep int) int64 {
	return min(max(logMax/4*int64(keep+1), 64<<10), 4<<20)
}

// Index is the writing side of an index.
type Index struct {
	Known
	path  string
	file  *os.File
	size  int64
	limit int64
	last  Record // the record at the end
}

// Open reads what an earlier process recorded and goes on behind it.
func Open(path string, limit int64) (*Index, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if err := finishIndexRotation(path); err != nil {
		return nil, err
	}
	f, err := layout.OpenRegular(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	ix := &Index{path: path, file: f, limit: limit}
	old := &Reader{path: path, file: f}
	for r := range old.rest() {
		ix.Note(r)
		ix.last = r
	}
	if old.Err != nil {
		return nil, errors.Join(old.Err, f.Close())
	}
	ix.size = old.off
	ix.reserve()
	return ix, nil
}

// finishIndexRotation puts the new index in its place if the process that
// rotated was killed between its two renames.
func finishIndexRotation(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Rename(path+".new", path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rotate index: %w", err)
	}
	return nil
}

// Put appends records with one write. If there is no space nothing is written.
func (ix *Index) Put(records ...Record) error {
	data := make([]byte, 0, 4*recordSize)
	for _, r := range records {
		data = r.append(data)
	}
	if ix.size+int64(len(data)) > ix.limit {
		if err := ix.rotate(records[0].Time); err != nil {
			return err
		}
	}
	if _, err := ix.file.WriteAt(data, ix.size); err != nil {
		return errors.Join(fmt.Errorf("write index: %w", err), ix.file.Truncate(ix.size))
	}
	ix.size += int64(len(data))
	for _, r := range records {
		ix.Note(r)
		ix.last = r
	}
	return nil
}

// Extend records that what was not recorded yet up to an offset came now.
func (ix *Index) Extend(s layout.Stream, upto int64, now time.Time) error {
	for upto > ix.End[s] {
		n := min(upto-ix.End[s], 1<<31)
		r := Record{Kind: KindData, Stream: s, Offset: ix.End[s], Length: uint32(n), Time: now}
		if err := ix.Put(r); err != nil {
			return err
		}
	}
	return nil
}

// Lose records that the next n bytes of a stream are lost: in the last record
// if that tells of those before, which takes no space, else in a new one.
func (ix *Index) Lose(s layout.Stream, n int64, now time.Time) error {
	for n > 0 {
		part := min(n, 1<<31)
		more := Record{Kind: KindLost, Stream: s, Offset: ix.End[s], Length: uint32(part), Time: now}
		if l := ix.last; l.Kind == KindLost && l.Stream == s && l.Offset+int64(l.Length) == ix.End[s] && int64(l.Length)+part < 1<<32 {
			l.Length += uint32(part)
			if _, err := ix.file.WriteAt(l.append(nil), ix.size-recordSize); err != nil {
				return fmt.Errorf("write index: %w", err)
			}
			ix.Note(more)
			ix.last = l
		} else if err := ix.Put(more); err != nil {
			return err
		}
		n -= part
	}
	ix.reserve()
	return nil
}

// reserve asks for space ahead of need. A file system that cannot do it, or is
// full, costs the exactness of the count after a kill, nothing else.
func (ix *Index) reserve() {
	_ = unix.Fallocate(int(ix.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, ix.size, indexAhead)
}

// rotate begins a new index with what has to be known of the old one. The old
// one is in its new place before the new one is, so a reader that finds no
// index looks again.
func (ix *Index) rotate(now time.Time) error {
	next := ix.path + ".new"
	f, err := layout.OpenRegular(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("rotate index: %w", err)
	}
	var data []byte
	for _, r := range ix.checkpoint(now) {
		data = r.append(data)
	}
	_, err = f.Write(data)
	if err == nil {
		err = os.Rename(ix.path, ix.path+".0")
	}
	if err == nil {
		err = os.Rename(next, ix.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("rotate index: %w", err), f.Close())
	}
	old := ix.file
	ix.file, ix.size = f, int64(len(data))
	ix.last = Record{}
	ix.reserve()
	return old.Close()
}

// Close leaves the index as it is.
func (ix *Index) Close() error { return ix.file.Close() }
