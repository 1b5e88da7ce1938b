// Package line cuts streams of bytes into lines and shows them on terminals.
package line

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Splitter cuts a stream of bytes into lines of bounded length.
type Splitter struct {
	Max  int
	Rest []byte
	End  int64 // how many bytes were emitted, newlines included
}

// Write calls emit for every line that data ends, without its newline, and for
// every piece of a line that is longer than max. emit must not keep the slice.
func (p *Splitter) Write(data []byte, emit func(line []byte, part bool)) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		piece := data
		if end >= 0 {
			piece = data[:end]
		}
		if room := p.Max - len(p.Rest); len(piece) > room {
			p.Rest = append(p.Rest, piece[:room]...)
			data = data[room:]
			p.End += int64(len(p.Rest))
			emit(p.Rest, true)
			p.Rest = p.Rest[:0]
			continue
		}
		if end < 0 {
			p.Rest = append(p.Rest, piece...)
			return
		}
		p.End += int64(len(p.Rest) + len(piece) + 1)
		if len(p.Rest) == 0 {
			emit(piece, false)
		} else {
			p.Rest = append(p.Rest, piece...)
			emit(p.Rest, false)
			p.Rest = p.Rest[:0]
		}
		data = data[end+1:]
	}
	if len(p.Rest) == 0 {
		p.Rest = nil
	}
}

// Finish emits what has no newline.
func (p *Splitter) Finish(emit func(line []byte, part bool)) {
	if len(p.Rest) > 0 {
		p.End += int64(len(p.Rest))
		emit(p.Rest, false)
	}
	p.Rest = nil
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
