package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
)

// Stream is one of the two outputs of a container. Each has a lock of its own,
// which its user takes and which guards his side as well: the pipe that it is
// taken from and the sinks that it is shown to. Nothing that waits is done with
// it held.
type Stream struct {
	sync.Mutex

	in   *Spool
	id   layout.Stream
	file *os.File // nil: closed

	kept, end int64 // what is in memory: [kept, end)
	done      int64 // up to where it is in files
	gap       bool  // there is a loss that the index does not have yet
	lost      int64 // bytes of this run that found no place in memory
	cause     error // of the last loss
}

func (st *Stream) open() error {
	p := st.in
	f, err := layout.OpenRegular(p.At.Spool(st.id), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st.file = f
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	// The process before this one may have been killed between a move and its
	// record, or have had no memory for one of the two.
	st.end = max(info.Size(), p.ix.End[st.id])
	if err := f.Truncate(st.end); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st.kept = dataFrom(f, 0, st.end)
	st.done = st.kept
	if err := p.ix.Extend(st.id, st.end, info.ModTime()); err != nil {
		st.cause = err // a later record covers it
	}
	return nil
}

// dataFrom is where a sparse file has something from at on; end if nowhere.
func dataFrom(f *os.File, at, end int64) int64 {
	next, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	if err != nil {
		return end
	}
	return min(next, end)
}

// Take moves at most one chunk out of a pipe, and gives its size.
func (st *Stream) Take(fifo int) (int, error) {
	off := st.end
	n, err := unix.Splice(fifo, nil, int(st.file.Fd()), &off, Chunk, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	if n <= 0 {
		return 0, notAgain(err)
	}
	st.end += n
	st.note()
	st.trim()
	return int(n), nil
}

func notAgain(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// note brings the index up to what came. If there is no memory for a record of
// a loss, what comes meanwhile counts as lost too; else a later record covers it.
func (st *Stream) note() {
	p := st.in
	p.mu.Lock()
	defer p.mu.Unlock()
	if st.gap && p.ix.Lose(st.id, st.end-p.ix.End[st.id], p.now()) == nil {
		st.gap = false
	}
	if !st.gap {
		_ = p.ix.Extend(st.id, st.end, p.now())
	}
}

// Discard counts n bytes that were taken out of the pipe and found no place.
func (st *Stream) Discard(n int, cause error) {
	st.end += int64(n)
	st.lost += int64(n)
	st.cause = cause
	// Its length is how far the stream is, and takes no memory.
	if err := st.file.Truncate(st.end); err != nil {
		st.cause = err
	}
	if err := st.lose(n); err != nil {
		st.gap = true
	}
	st.trim()
}

func (st *Stream) lose(n int) error {
	st.in.mu.Lock()
	defer st.in.mu.Unlock()
	return st.in.ix.Lose(st.id, int64(n), st.in.now())
}

// trim gives back the memory of what is old.
func (st *Stream) trim() {
	from := st.end - memoryMax
	if st.in.carried {
		from = max(min(st.done, st.end-spoolTail), st.end-Max)
	}
	page := int64(os.Getpagesize())
	from -= max(from, 0) % page
	if from < st.kept+punchMin {
		return
	}
	err := unix.Fallocate(int(st.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, from)
	if err == nil { // else it takes more memory than it should
		st.kept = from
	}
}

// Took notes that files have everything up to an offset. It takes the lock
// itself.
func (st *Stream) Took(upto int64) {
	st.Lock()
	defer st.Unlock()
	st.done = max(st.done, upto)
	if st.file != nil {
		st.trim()
	}
}

// Kept is what memory has: [begin, end).
func (st *Stream) Kept() (begin, end int64) { return st.kept, st.end }

// Done is up to where files have it.
func (st *Stream) Done() int64 { return st.done }

// Behind is how many bytes files do not have yet.
func (st *Stream) Behind() int64 { return st.end - st.done }

// Losses are the bytes of this run that found no place, and why.
func (st *Stream) Losses() (int64, error) { return st.lost, st.cause }

// Read gives what is kept from an offset on, at most len(buf) bytes, and how many.
func (st *Stream) Read(at int64, buf []byte) int {
	n, _ := st.file.ReadAt(buf[:min(int64(len(buf)), st.end-at)], at)
	return n
}

// begin forgets what the run before has lost.
func (st *Stream) begin() {
	st.Lock()
	defer st.Unlock()
	st.lost = 0
}

func (st *Stream) close() error {
	st.Lock()
	defer st.Unlock()
	f := st.file
	if f == nil {
		return nil
	}
	st.file = nil
	return f.Close()
}
