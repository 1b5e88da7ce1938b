// Package line cuts streams of bytes into lines.
package line

import "bytes"

// Splitter cuts a stream of bytes into lines of bounded length.
type Splitter struct {
	Max  int    // bytes of a line
	Rest []byte // of a line that has no end yet
	End  int64  // how many bytes were emitted, newlines included
}

// Write calls emit for every line that data ends, without its newline, and for
// every piece of a line that is longer than Max. emit must not keep the slice.
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
