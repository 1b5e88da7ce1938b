package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/rotate"
)

// source finds the bytes of a stream in the files that hold it, by inode
// number: their names change with every rotation.
type source struct {
	at   places
	segs [3][]segment
	file [3]*os.File // of the segment read last
	ino  [3]uint32
	buf  []byte
}

func newSource(at places) *source { return &source{at: at} }

func (s *source) close() {
	for i, f := range s.file {
		if f != nil {
			f.Close() // Only read from: nothing can be lost.
		}
		s.file[i] = nil
	}
}

// add notes a segment that is younger than those known.
func (s *source) add(r record) {
	segs := s.segs[r.Stream]
	if len(segs) == 0 || segs[len(segs)-1].base <= r.Offset {
		s.segs[r.Stream] = addSegment(segs, segment{r.Offset, r.Length})
	}
}

// read gives the bytes [from, to) of a stream piece by piece, without those
// whose file was rotated away.
func (s *source) read(id Stream, from, to int64, give func([]byte) error) error {
	if s.buf == nil {
		s.buf = make([]byte, 16<<10)
	}
	for from < to {
		seg, end, ok := s.segment(id, from, to)
		if !ok {
			from = end
			continue
		}
		f, err := s.open(id, seg)
		if err != nil {
			return err
		}
		if f == nil {
			from = end
			continue
		}
		n, err := f.ReadAt(s.buf[:min(end-from, int64(len(s.buf)))], from-seg.base)
		if n == 0 {
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("read log: %w", err)
			}
			from = end
			continue
		}
		if err := give(s.buf[:n]); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// segment finds the one that holds offset from, and where it ends. If there is
// none, end is where the next begins.
func (s *source) segment(id Stream, from, to int64) (seg segment, end int64, ok bool) {
	for _, c := range s.segs[id] {
		if c.base > from {
			return seg, min(to, c.base), ok
		}
		seg, ok = c, true
	}
	return seg, to, ok
}

// open finds the file of a segment; nil if it is not there any more. Rotation
// moves files to higher numbers, so looking in this order misses none, but for
// gaps of one that a rotation makes while it works.
func (s *source) open(id Stream, seg segment) (*os.File, error) {
	if s.file[id] != nil && s.ino[id] == seg.ino {
		return s.file[id], nil
	}
	path := s.at.file(id)
	for n, missing := -1, 0; missing < 3; n++ {
		name := path
		if n >= 0 {
			name = rotate.Old(path, n)
		}
		f, err := openIfInode(name, seg.ino)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if s.file[id] != nil {
			s.file[id].Close() // Only read from.
		}
		s.file[id], s.ino[id] = f, seg.ino
		return f, nil
	}
	return nil, nil
}

// openIfInode opens a file if its inode number ends in ino.
func openIfInode(path string, ino uint32) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(fmt.Errorf("stat %s: %w", path, err), f.Close())
	}
	if uint32(st.Ino) != ino || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, f.Close()
	}
	return f, nil
}

// plain reads a log that has no index, such as one that LinuxKit wrote: its
// standard output, then its standard error, without times.
func (r *reader) plain() error {
	r.hold = r.q.Tail > 0
	for _, s := range streamsOf {
		path, n := r.at.file(s), 0
		for rotate.Exists(rotate.Old(path, n)) {
			n++
		}
		for ; n >= 0; n-- {
			name := path
			if n > 0 {
				name = rotate.Old(path, n-1)
			}
			if err := r.plainFile(s, name); err != nil {
				return err
			}
		}
		if err := r.endLines(); err != nil {
			return err
		}
	}
	return r.release()
}

func (r *reader) plainFile(s Stream, name string) error {
	var st unix.Stat_t
	err := unix.Stat(name, &st)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read log: stat %s: %w", name, err)
	}
	r.src.segs[s] = []segment{{base: 0, ino: uint32(st.Ino)}}
	return r.bytes(s, 0, st.Size, time.Time{})
}
