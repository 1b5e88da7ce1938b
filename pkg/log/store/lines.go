package store

import (
	"bytes"

	"slipway/pkg/escape"
)

// splitter cuts a stream of bytes into lines of bounded length.
type splitter struct {
	max  int
	rest []byte
	end  int64 // how many bytes were emitted, newlines included
}

// write calls emit for every line that data ends, without its newline, and for
// every piece of a line that is longer than max. emit must not keep the slice.
func (p *splitter) write(data []byte, emit func(line []byte, part bool)) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		piece := data
		if end >= 0 {
			piece = data[:end]
		}
		if room := p.max - len(p.rest); len(piece) > room {
			p.rest = append(p.rest, piece[:room]...)
			data = data[room:]
			p.end += int64(len(p.rest))
			emit(p.rest, true)
			p.rest = p.rest[:0]
			continue
		}
		if end < 0 {
			p.rest = append(p.rest, piece...)
			return
		}
		p.end += int64(len(p.rest) + len(piece) + 1)
		if len(p.rest) == 0 {
			emit(piece, false)
		} else {
			p.rest = append(p.rest, piece...)
			emit(p.rest, false)
			p.rest = p.rest[:0]
		}
		data = data[end+1:]
	}
	if len(p.rest) == 0 {
		p.rest = nil
	}
}

// finish emits what has no newline.
func (p *splitter) finish(emit func(line []byte, part bool)) {
	if len(p.rest) > 0 {
		p.end += int64(len(p.rest))
		emit(p.rest, false)
	}
	p.rest = nil
}

// Escape appends text as it can be shown on a terminal.
func Escape(to, text []byte) []byte { return escape.Append(to, text) }
