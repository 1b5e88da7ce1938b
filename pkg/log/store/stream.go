package store

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stream is one pipe of a container and who gets what comes out of it. The lock
// of the spool guards it.
type stream struct {
	id    Stream
	spool *spool
	fifo  int // read end, non-blocking; -1: closed
	sinks []sink
}

func (s *stream) name() string { return s.spool.at.base(s.id) }

// buffers are chunks to copy with.
var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// take moves at most one chunk from the pipe to memory and to the sinks. It
// gives the number of bytes that left the pipe. What finds no place leaves the
// pipe as well, because a container is not to hang on a full machine.
func (s *stream) take(p *Pump) int {
	n, err := s.spool.take(s.id, s.fifo)
	if n == 0 && err != nil {
		return s.discard(p, err)
	}
	if n == 0 || len(s.sinks) == 0 {
		return n
	}
	_, end := s.spool.kept(s.id)
	s.feedFrom(end-int64(n), end)
	return n
}

// feedFrom gives the sinks what is in the spool.
func (s *stream) feedFrom(at, end int64) {
	buf := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buf)
	for at < end {
		n := s.spool.read(s.id, at, buf[:min(chunk, end-at)])
		if n == 0 {
			return
		}
		at += int64(n)
		for _, k := range s.sinks {
			k.write(buf[:n], at)
		}
	}
}

// discard takes a chunk out of the pipe that finds no place because of cause: it
// is counted and shown to the sinks.
func (s *stream) discard(p *Pump, cause error) int {
	buf := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buf)
	n, err := unix.Read(s.fifo, buf[:])
	if n <= 0 || err != nil {
		return 0
	}
	s.spool.discard(s.id, n, cause)
	p.report(s, "output is being lost")
	_, end := s.spool.kept(s.id)
	for _, k := range s.sinks {
		k.write(buf[:n], end)
	}
	return n
}

func (s *stream) stalled() bool {
	for _, k := range s.sinks {
		if k.pending() {
			return true
		}
	}
	return false
}

// tryAgain says whether a pipe that was paused is to go on.
func (s *stream) tryAgain(since time.Time) bool {
	s.spool.Lock()
	defer s.spool.Unlock()
	_, end := s.spool.kept(s.id)
	for _, k := range s.sinks {
		k.write(nil, end)
	}
	if s.stalled() && time.Since(since) < patience {
		return false
	}
	for _, k := range s.sinks {
		k.giveUp()
	}
	return true
}
