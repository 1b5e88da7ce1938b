package logs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/rotate"
)

// chunk is the most that is taken from one pipe before the others have their
// turn; also the size of a pipe.
const chunk = 64 << 10

// stream is one pipe and the file it goes to. The pump's lock guards it.
type stream struct {
	id   Stream
	at   places
	max  int64 // bytes of a file
	keep int   // rotated files
	ix   *index
	now  func() time.Time

	fifo int      // read end, non-blocking
	file *os.File // nil if it cannot be had
	ino  uint32
	base int64 // offset of the file's first byte in the stream
	size int64 // bytes of the file

	unlogged int64 // lost bytes that the index does not have yet
	lost     int64 // lost bytes of this run
	cause    error // of the loss that is going on
	sinks    []sink
	spare    *tail // last output while it cannot be stored
}

// openFile opens the file that output goes to now, and brings the index up to
// what is in it: the process before this one may have been killed after it had
// moved bytes and before it had recorded them.
func (s *stream) openFile() error {
	path := s.at.file(s.id)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	// Not for appending: splice(2) refuses such a file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return errors.Join(fmt.Errorf("open log: stat %s: %w", path, err), f.Close())
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.Join(fmt.Errorf("open log: %s: not a regular file", path), f.Close())
	}
	s.file, s.ino = f, uint32(st.Ino)
	s.base = s.ix.end[s.id]
	if segs := s.ix.segs[s.id]; len(segs) > 0 && segs[len(segs)-1].ino == s.ino {
		s.base = segs[len(segs)-1].base
	} else if err := s.putSegment(); err != nil {
		return errors.Join(err, s.closeFile())
	}
	return s.adopt(&st)
}

func (s *stream) putSegment() error {
	return s.ix.put(record{Kind: kindSegment, Stream: s.id, Offset: s.base, Length: s.ino, Time: s.now()})
}

// adopt accepts the file's size as it is. More than was known: bytes that a
// predecessor moved, or that somebody else wrote. Less: somebody emptied it.
func (s *stream) adopt(st *unix.Stat_t) error {
	s.size = st.Size
	if end := s.ix.end[s.id]; s.base+s.size < end {
		s.base = end - s.size
		return s.putSegment()
	}
	return s.record(time.Unix(st.Mtim.Unix()))
}

// record tells the index of all bytes up to the file's end.
func (s *stream) record(at time.Time) error {
	for {
		from := s.ix.end[s.id]
		n := min(s.base+s.size-from, 1<<31)
		if n <= 0 {
			return nil
		}
		r := record{Kind: kindData, Stream: s.id, Offset: from, Length: uint32(n), Time: at}
		if err := s.ix.put(r); err != nil {
			return err
		}
	}
}

// take moves at most one chunk from the pipe to the file and its sinks. It
// gives the number of bytes that left the pipe. What cannot be stored leaves
// the pipe as well, because a container is not to hang on a full disk.
func (s *stream) take(p *Pump) int {
	n, err := s.store(p)
	if n == 0 && err != nil {
		return s.discard(p, err)
	}
	if n == 0 {
		return 0
	}
	s.settle()
	if len(s.sinks) > 0 {
		s.feedStored(p, n)
	}
	return n
}

// store moves bytes from the pipe into the file, in the kernel: they are out of
// the pipe exactly if they are in the file.
func (s *stream) store(p *Pump) (int, error) {
	if s.file == nil {
		if err := s.openFile(); err != nil {
			return 0, err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(s.file.Fd()), &st); err != nil {
		return 0, err
	}
	if st.Size != s.size {
		if err := s.adopt(&st); err != nil {
			return 0, err
		}
	}
	want, err := s.makeRoom(p)
	if err != nil || want == 0 {
		return 0, err
	}
	off := s.size
	n, err := unix.Splice(s.fifo, nil, int(s.file.Fd()), &off, want, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	if n <= 0 {
		return 0, notAgain(err)
	}
	s.size += n
	// The bytes are safe; if the index is full now, a later record covers them.
	if err := s.record(s.now()); err != nil {
		s.cause = err
	}
	return int(n), nil
}

func notAgain(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// makeRoom says how much may go into the file, so that it ends with a whole
// line and below its limit; it rotates when that is nothing.
func (s *stream) makeRoom(p *Pump) (int, error) {
	room := s.max - s.size
	if room >= chunk {
		return chunk, nil
	}
	queued, err := unix.IoctlGetInt(s.fifo, unix.TIOCINQ)
	if err != nil || queued == 0 || int64(queued) <= room {
		return queued, err
	}
	ahead := p.look(s.fifo)
	if cut := bytes.LastIndexByte(ahead[:min(max(room, 0), int64(len(ahead)))], '\n') + 1; cut > 0 {
		return cut, nil
	}
	if s.size == 0 {
		return int(room), nil // A line longer than a file may be.
	}
	if !s.endsLine() && s.size < s.max+chunk {
		// It ends in a line that the container has not written at once.
		if cut := bytes.IndexByte(ahead, '\n') + 1; cut > 0 {
			return cut, nil
		}
	}
	if err := s.rotate(); err != nil {
		return 0, err
	}
	return s.makeRoom(p)
}

// endsLine tells whether the file ends with a newline.
func (s *stream) endsLine() bool {
	var last [1]byte
	_, err := s.file.ReadAt(last[:], s.size-1)
	return err == nil && last[0] == '\n'
}

// rotate begins a new file.
func (s *stream) rotate() error {
	if err := s.record(s.now()); err != nil {
		return err
	}
	if err := s.closeFile(); err != nil {
		return err
	}
	if err := rotate.Shift(s.at.file(s.id), s.keep); err != nil {
		return err
	}
	return s.openFile()
}

func (s *stream) closeFile() error {
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}
