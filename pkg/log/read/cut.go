package read

import (
	"bytes"
	"time"

	"slipway/pkg/log/layout"
)

// holeMin is the shortest run of zeros that is taken for what a power cut has
// left: blocks of a file that were counted and never written.
const holeMin = 16

// cut makes lines of bytes of a stream. Those of former boots may have holes.
func (r *reader) cut(s layout.Stream, data []byte, at time.Time, former bool) error {
	a := &r.text[s]
	if !former {
		if err := r.endZeros(s); err != nil {
			return err
		}
		return r.lines(s, data, at)
	}
	for len(data) > 0 {
		rest := bytes.TrimLeft(data, "\x00")
		a.zeros += int64(len(data) - len(rest))
		if len(rest) == 0 {
			return nil
		}
		if err := r.endZeros(s); err != nil {
			return err
		}
		text, _, _ := bytes.Cut(rest, []byte{0})
		if err := r.lines(s, text, at); err != nil {
			return err
		}
		data = rest[len(text):]
	}
	return nil
}

// endZeros says what a run of zeros was.
func (r *reader) endZeros(s layout.Stream) error {
	a := &r.text[s]
	n := a.zeros
	a.zeros = 0
	if n == 0 {
		return nil
	}
	if n < holeMin {
		return r.lines(s, make([]byte, n), a.began)
	}
	at := a.began
	if err := r.endLine(s); err != nil {
		return err
	}
	return r.emit(Line{Time: at, Stream: s, Lost: n, Hole: true})
}

func (r *reader) lines(s layout.Stream, data []byte, at time.Time) error {
	a := &r.text[s]
	if len(a.split.Rest) == 0 {
		a.began = at
	}
	var failed error
	a.split.Write(data, func(text []byte, part bool) {
		if failed == nil {
			failed = r.emit(Line{Time: a.began, Stream: s, Text: append([]byte(nil), text...), Part: part})
		}
		a.began = at
	})
	return failed
}

// endLine yields a line that has no newline.
func (r *reader) endLine(s layout.Stream) error {
	a := &r.text[s]
	var failed error
	a.split.Finish(func(text []byte, _ bool) {
		failed = r.emit(Line{Time: a.began, Stream: s, Text: append([]byte(nil), text...)})
	})
	return failed
}
