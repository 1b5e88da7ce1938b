// Package spool keeps the output of containers in memory: until files have it, or
// the last of it where there are none. Nothing that is done with a spool waits
// for a disk.
package spool

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

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
	// HighWater is where a container waits for files that take something: what
	// is in its pipe when it ends fits in as well.
	HighWater = Max - 2*Chunk
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

// Spool is where the output of a container goes first: memory, in the form of
// sparse files below /run in which a byte lies at its offset in the stream. What
// is old is given back by making it a hole.
//
// It outlives the process, and a successor goes on with it: splice(2) takes out
// of a pipe exactly what it has put into the file, and the file's length says
// how far that is.
type Spool struct {
	At layout.Places

	carried bool // it goes on to files, and is kept until it is there
	now     func() time.Time
	out     [3]*Stream

	mu sync.Mutex // of the index, which both streams share
	ix *index.Index
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
	if p.ix.ID == 0 || p.ix.Carried != carried {
		for p.ix.ID == 0 {
			p.ix.ID = rand.Uint32()
		}
		p.ix.IsSpool, p.ix.Carried = true, carried
		// On a full machine the container's start matters more.
		_ = p.ix.Put(p.ix.Source(now())...)
	}
	for _, s := range layout.Streams {
		p.out[s] = &Stream{in: p, id: s}
		err = errors.Join(err, p.out[s].open())
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Stream is one of the two.
func (p *Spool) Stream(s layout.Stream) *Stream { return p.out[s] }

// Number tells this spool from others, of other boots.
func (p *Spool) Number() uint32 { return p.ix.ID }

// Run begins a new run. Nobody may have a stream locked.
func (p *Spool) Run() error {
	for _, s := range layout.Streams {
		p.out[s].begin()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ix.Put(index.Record{Kind: index.KindRun, Stream: layout.Stdout, Offset: p.ix.Run + 1, Time: p.now()})
}

// Close gives nothing back: a successor goes on. Nobody may have a stream locked.
func (p *Spool) Close() error {
	var errs []error
	for _, s := range layout.Streams {
		errs = append(errs, p.out[s].close())
	}
	return errors.Join(append(errs, p.ix.Close())...)
}
