package store

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
	"slipway/pkg/log/sink"
	"slipway/pkg/log/spool"
)

// stream is one pipe of a container and who gets what comes out of it. The lock
// of the spool's stream guards it.
type stream struct {
	id    layout.Stream
	at    layout.Places
	spool *spool.Stream
	fifo  int // read end, non-blocking; -1: closed
	sinks []sink.Sink
}

func (s *stream) name() string { return s.at.Base(s.id) }

// buffers are chunks to copy with.
var buffers = sync.Pool{New: func() any { return new([spool.Chunk]byte) }}

// take moves at most one chunk from the pipe to memory and to the sinks. It
// gives the number of bytes that left the pipe. What finds no place leaves the
// pipe as well, because a container is not to hang on a full machine.
func (s *stream) take(p *Pump) int {
	n, err := s.spool.Take(s.fifo)
	if n == 0 && err != nil {
		return s.discard(p, err)
	}
	if n == 0 || len(s.sinks) == 0 {
		return n
	}
	_, end := s.spool.Kept()
	s.feedFrom(end-int64(n), end)
	return n
}

// feedFrom gives the sinks what is in the spool.
func (s *stream) feedFrom(at, end int64) {
	buf := buffers.Get().(*[spool.Chunk]byte)
	defer buffers.Put(buf)
	for at < end {
		n := s.spool.Read(at, buf[:min(spool.Chunk, end-at)])
		if n == 0 {
			return
		}
		at += int64(n)
		for _, k := range s.sinks {
			k.Write(buf[:n], at)
		}
	}
}

// discard takes a chunk out of the pipe that finds no place because of cause: it
// is counted and shown to the sinks.
func (s *stream) discard(p *Pump, cause error) int {
	buf := buffers.Get().(*[spool.Chunk]byte)
	defer buffers.Put(buf)
	n, err := unix.Read(s.fifo, buf[:])
	if n <= 0 || err != nil {
		return 0
	}
	s.spool.Discard(n, cause)
	p.report(s, "output is being lost")
	_, end := s.spool.Kept()
	for _, k := range s.sinks {
		k.Write(buf[:n], end)
	}
	return n
}

func (s *stream) stalled() bool { return slices.ContainsFunc(s.sinks, sink.Sink.Pending) }

// tryAgain says whether a pipe that was paused is to go on.
func (s *stream) tryAgain(since time.Time) bool {
	s.spool.Lock()
	defer s.spool.Unlock()
	_, end := s.spool.Kept()
	for _, k := range s.sinks {
		k.Write(nil, end)
	}
	if s.stalled() && time.Since(since) < maxWait {
		return false
	}
	for _, k := range s.sinks {
		k.GiveUp()
	}
	return true
}
