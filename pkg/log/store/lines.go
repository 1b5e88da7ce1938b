package store

import (
	"bytes"
	"strconv"
	"unicode/utf8"
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

// Escape appends text as it can be shown on a terminal: control characters,
// which could move the cursor or begin a line that somebody else seems to have
// written, and invalid UTF-8 in Go's notation, all else as it is.
func Escape(to, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\t':
			to = append(to, '\t')
		case r == utf8.RuneError && n == 1:
			to = append(to, '\\', 'x', hex[text[0]>>4], hex[text[0]&15])
		case strconv.IsPrint(r):
			to = append(to, text[:n]...)
		default:
			quoted := strconv.QuoteRune(r)
			to = append(to, quoted[1:len(quoted)-1]...)
		}
		text = text[n:]
	}
	return to
}

const hex = "0123456789abcdef"
