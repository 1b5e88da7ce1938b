package logs

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// tailSize bounds the last output kept in memory while no file takes it.
const tailSize = 4 << 10

// tail is the end of a stream of bytes.
type tail struct{ data []byte }

func (t *tail) write(data []byte) {
	if len(data) >= tailSize {
		t.data = append(t.data[:0], data[len(data)-tailSize:]...)
		return
	}
	if over := len(t.data) + len(data) - tailSize; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	t.data = append(t.data, data...)
}

// lines are the whole lines in it, oldest first.
func (t *tail) lines(s Stream) []Line {
	data := t.data
	if len(data) == tailSize {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	var all []Line
	for line := range bytes.Lines(data) {
		all = append(all, Line{Stream: s, Text: bytes.Clone(bytes.TrimSuffix(line, []byte("\n")))})
	}
	return all
}

// discard takes a chunk out of the pipe that cannot be stored because of cause:
// it is counted, shown to the sinks, and its end kept in memory.
func (s *stream) discard(p *Pump, cause error) int {
	buf := p.scratch()
	n, err := unix.Read(s.fifo, buf)
	if n <= 0 || err != nil {
		return 0
	}
	if s.spare == nil {
		s.spare = &tail{}
	}
	s.spare.write(buf[:n])
	s.cause = cause
	s.lost += int64(n)
	s.unlogged += int64(n)
	p.report(s, "output is being lost")
	s.settle()
	s.feed(buf[:n])
	return n
}

// settle writes down a loss as soon as there is space for it.
func (s *stream) settle() {
	if s.unlogged == 0 {
		return
	}
	if err := s.ix.lost(s.id, s.unlogged, s.now()); err == nil {
		s.unlogged = 0
	}
}
