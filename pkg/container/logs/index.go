package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// indexAhead is reserved behind the end of an index, so that losses can be
// counted on a full disk.
const indexAhead = 4 << 10

// indexLimit is where an index is rotated; two are kept. It is half of what a
// log may be that comes in lines of a hundred bytes. What lies before the first
// record is still in the files, and read without its time.
func indexLimit(logMax int64, keep int) int64 {
	return min(max(logMax/4*int64(keep+1), 64<<10), 4<<20)
}

// segment is a file that holds a stream from base on.
type segment struct {
	base int64
	ino  uint32
}

// index is the writing side of a container's index.
type index struct {
	path  string
	file  *os.File
	size  int64
	limit int64
	run   int64
	segs  [3][]segment // by Stream, oldest first
	end   [3]int64     // by Stream: where the recorded bytes end
	last  record       // the record at the end
	ahead bool         // space is reserved behind the end
}

// openIndex reads what an earlier process recorded and goes on behind it.
func openIndex(path string, limit int64) (*index, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	if err := finishIndexRotation(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	ix := &index{path: path, file: f, limit: limit}
	old := &indexReader{path: path, file: f}
	for r := range old.rest() {
		ix.note(r)
	}
	if old.err != nil {
		return nil, errors.Join(old.err, f.Close())
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

// note follows what a record changes.
func (ix *index) note(r record) {
	switch r.Kind {
	case kindData:
		ix.end[r.Stream] = r.Offset + int64(r.Length)
	case kindRun:
		ix.run = max(ix.run, r.Offset)
	case kindSegment:
		ix.segs[r.Stream] = addSegment(ix.segs[r.Stream], segment{r.Offset, r.Length})
		ix.end[r.Stream] = max(ix.end[r.Stream], r.Offset)
	}
	ix.last = r
}

// addSegment keeps one entry for an inode, because a file system gives the
// number of a removed file to a new one.
func addSegment(segs []segment, s segment) []segment {
	kept := segs[:0]
	for _, old := range segs {
		if old.ino != s.ino && old.base <= s.base {
			kept = append(kept, old)
		}
	}
	return append(kept, s)
}

// put appends records with one write. If there is no space nothing is written.
func (ix *index) put(records ...record) error {
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
		ix.note(r)
	}
	return nil
}

// lost counts n more lost bytes of a stream: in the last record if that is of
// the same loss, which takes no space, else in a new one.
func (ix *index) lost(s Stream, n int64, now time.Time) error {
	for n > 0 {
		part := min(n, 1<<31)
		r := record{Kind: kindLost, Stream: s, Offset: ix.end[s], Length: uint32(part), Time: now}
		if l := ix.last; l.Kind == kindLost && l.Stream == s && int64(l.Length)+part < 1<<32 {
			r.Length += l.Length
			if _, err := ix.file.WriteAt(r.append(nil), ix.size-recordSize); err != nil {
				return fmt.Errorf("write index: %w", err)
			}
			ix.last = r
		} else if err := ix.put(r); err != nil {
			return err
		}
		n -= part
	}
	ix.reserve()
	return nil
}

// reserve asks for space ahead of need. A file system that cannot do it, or is
// full, costs the exactness of the count after a kill, nothing else.
func (ix *index) reserve() {
	ix.ahead = unix.Fallocate(int(ix.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, ix.size, indexAhead) == nil
}

// rotate begins a new index with what has to be known of the old one. The old
// one is in its new place before the new one is, so a reader that finds no
// index looks again.
func (ix *index) rotate(now time.Time) error {
	next := ix.path + ".new"
	f, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("rotate index: %w", err)
	}
	data := ix.checkpoint(now)
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
	ix.last = record{}
	ix.reserve()
	return old.Close()
}

func (ix *index) checkpoint(now time.Time) []byte {
	data := record{Kind: kindRun, Stream: Stdout, Offset: ix.run, Time: now}.append(nil)
	for _, s := range []Stream{Stdout, Stderr} {
		for _, seg := range ix.segs[s] {
			data = record{Kind: kindSegment, Stream: s, Offset: seg.base, Length: seg.ino, Time: now}.append(data)
		}
		data = record{Kind: kindData, Stream: s, Offset: ix.end[s], Time: now}.append(data)
	}
	return data
}

func (ix *index) close() error { return ix.file.Close() }
