// Package spool keeps the output of containers in memory: until files have it, or
// the last of it where there are none. Nothing that is done with a spool waits
// for a disk.
package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
)

// Chunk is the most that is taken from one pipe before the others have their
// turn; also the size of a pipe.
const Chunk = 64 << 10

// What of a stream lies in memory.
const (
	// Max is kept for files that do not take it.
	Max = 192 << 10
	// Crowd is where a container waits for files that take something: what
	// is in its pipe when it ends fits in as well.
	Crowd = Max - 2*Chunk
	// spoolTail is kept of what the files have taken: the last lines of a run
	// that failed are shown without a look at a disk.
	spoolTail = 4 << 10
	// memoryMax is kept where there are no files: enough for `service logs`.
	memoryMax = 64 << 10
	// punchMin is what is worth a system call to give back.
	punchMin = 16 << 10
)

// indexLimits are where the index of a spool is rotated; one old one is kept.
const (
	carriedIndex = 16 << 10
	memoryIndex  = 64 << 10
)

// Spool is where output goes first: memory, in the form of sparse files below
// /run in which a byte lies at its offset in the stream. What is old is given
// back by making it a hole. Nothing that is done with a spool waits for a disk.
//
// It outlives the process, and a successor goes on with it: splice(2) takes out
// of a pipe exactly what it has put into the file, and the file's length says
// how far that is.
type Spool struct {
	sync.Mutex // of all that follows; also of the pipes and sinks of its Writer

	At      layout.Places
	ix      *index.Index
	out     [3]spooled
	carried bool // it goes on to files, and is kept until it is there
	now     func() time.Time
	lost    [3]int64 // by Stream: bytes that found no place in memory, of this run
	cause   error
}

// spooled is one stream of it.
type spooled struct {
	file       *os.File
	begin, end int64 // what is kept
	done       int64 // up to where it is in files
	gap        bool  // there is a loss that the index does not have yet
}

// Open opens what an earlier process has left, or makes it.
func Open(at layout.Places, carried bool, now func() time.Time) (*Spool, error) {
	p := &Spool{At: at, carried: carried, now: now}
	limit := int64(memoryIndex)
	if carried {
		limit = carriedIndex
	}
	var err error
	if p.ix, err = index.Open(at.SpoolIndex(), limit); err != nil {
		return nil, err
	}
	if p.ix.ID == 0 || p.ix.Known.Carried != carried {
		for p.ix.ID == 0 {
			p.ix.ID = rand.Uint32()
		}
		p.ix.IsSpool, p.ix.Known.Carried = true, carried
		// On a full machine the container's start matters more.
		_ = p.ix.Put(p.ix.Source(now())...)
	}
	for _, s := range layout.Streams {
		err = errors.Join(err, p.openStream(s))
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Spool) openStream(s layout.Stream) error {
	f, err := layout.OpenRegular(p.At.Spool(s), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st := &p.out[s]
	st.file = f
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	// The process before this one may have been killed between a move and its
	// record, or have had no memory for one of the two.
	st.end = max(info.Size(), p.ix.End[s])
	if err := f.Truncate(st.end); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st.begin = dataFrom(f, 0, st.end)
	st.done = st.begin
	if err := p.ix.Extend(s, st.end, info.ModTime()); err != nil {
		p.cause = err // a later record covers it
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
func (p *Spool) Take(s layout.Stream, fifo int) (int, error) {
	st := &p.out[s]
	off := st.end
	n, err := unix.Splice(fifo, nil, int(st.file.Fd()), &off, Chunk, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	if n <= 0 {
		return 0, notAgain(err)
	}
	st.end += n
	p.note(s)
	p.trim(s)
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
func (p *Spool) note(s layout.Stream) {
	st := &p.out[s]
	if st.gap && p.ix.Lose(s, st.end-p.ix.End[s], p.now()) == nil {
		st.gap = false
	}
	if !st.gap {
		_ = p.ix.Extend(s, st.end, p.now())
	}
}

// Discard counts n bytes that were taken out of the pipe and found no place.
func (p *Spool) Discard(s layout.Stream, n int, cause error) {
	st := &p.out[s]
	st.end += int64(n)
	p.lost[s] += int64(n)
	p.cause = cause
	// Its length is how far the stream is, and takes no memory.
	if err := st.file.Truncate(st.end); err != nil {
		p.cause = err
	}
	if err := p.ix.Lose(s, int64(n), p.now()); err != nil {
		st.gap = true
	}
	p.trim(s)
}

// trim gives back the memory of what is old.
func (p *Spool) trim(s layout.Stream) {
	st := &p.out[s]
	from := st.end - memoryMax
	if p.carried {
		from = max(min(st.done, st.end-spoolTail), st.end-Max)
	}
	page := int64(os.Getpagesize())
	from -= max(from, 0) % page
	if from < st.begin+punchMin {
		return
	}
	err := unix.Fallocate(int(st.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, from)
	if err == nil { // else it takes more memory than it should
		st.begin = from
	}
}

// Took notes that files have everything up to an offset.
func (p *Spool) Took(s layout.Stream, upto int64) {
	p.Lock()
	defer p.Unlock()
	p.out[s].done = max(p.out[s].done, upto)
	if p.out[s].file != nil {
		p.trim(s)
	}
}

// Number tells this spool from others, of other boots.
func (p *Spool) Number() uint32 { return p.ix.ID }

// Kept is what memory has of a stream.
func (p *Spool) Kept(s layout.Stream) (begin, end int64) { return p.out[s].begin, p.out[s].end }

// Done is up to where files have a stream.
func (p *Spool) Done(s layout.Stream) int64 { return p.out[s].done }

// Losses are the bytes of this run that found no place, and why.
func (p *Spool) Losses(s layout.Stream) (int64, error) { return p.lost[s], p.cause }

// Behind is how many bytes of a stream files do not have yet.
func (p *Spool) Behind(s layout.Stream) int64 { return p.out[s].end - p.out[s].done }

// Run begins a new run.
func (p *Spool) Run() error {
	p.lost = [3]int64{}
	return p.ix.Put(index.Record{Kind: index.KindRun, Stream: layout.Stdout, Offset: p.ix.Run + 1, Time: p.now()})
}

// Read gives what is kept of a stream from an offset on, at most len(buf).
func (p *Spool) Read(s layout.Stream, at int64, buf []byte) int {
	n, _ := p.out[s].file.ReadAt(buf[:min(int64(len(buf)), p.out[s].end-at)], at)
	return n
}

func (p *Spool) Close() error {
	var errs []error
	for _, s := range layout.Streams {
		if f := p.out[s].file; f != nil {
			errs = append(errs, f.Close())
		}
		p.out[s].file = nil
	}
	if p.ix != nil {
		errs = append(errs, p.ix.Close())
		p.ix = nil
	}
	return errors.Join(errs...)
}
