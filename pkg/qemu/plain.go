package qemu

// plain takes terminal control out of console output: escape sequences are
// dropped, CR LF (and CR CR LF, which a tty in the guest makes of it) becomes
// LF, and a CR that moves back to overwrite a line begins a new one. It keeps
// its state between calls, as a sequence may be split over two reads.
type plain struct {
	state plainState
	cr    bool // a CR was seen, and what follows decides about it
}

type plainState byte

const (
	plainText   plainState = iota
	plainEscape            // after ESC
	plainCSI               // ESC [ ... final byte
	plainString            // ESC ] ... BEL or ESC \ (title, and the like)
	plainStringEscape
	plainOne // ESC ( X and the like: one more byte
)

// filter appends to dst what is left of src.
func (p *plain) filter(dst, src []byte) []byte {
	for _, b := range src {
		if p.state != plainText || b == 0x1b {
			p.state = p.next(b)
			continue
		}
		switch {
		case b == '\r':
			p.cr = true
			continue
		case p.cr && b != '\n':
			dst = append(dst, '\n')
		}
		p.cr = false
		if b >= ' ' && b != 0x7f || b == '\n' || b == '\t' {
			dst = append(dst, b)
		}
	}
	return dst
}

// next is the state after a byte of an escape sequence (ECMA-48).
func (p *plain) next(b byte) plainState {
	switch p.state {
	case plainText: // b is ESC
		return plainEscape
	case plainEscape:
		switch b {
		case '[':
			return plainCSI
		case ']', 'P', 'X', '^', '_':
			return plainString
		case '(', ')', '*', '+', '#', '%':
			return plainOne
		}
	case plainCSI:
		if b < 0x40 || b > 0x7e {
			return plainCSI
		}
	case plainString:
		switch b {
		case 0x07:
			return plainText
		case 0x1b:
			return plainStringEscape
		}
		return plainString
	}
	return plainText
}

// maxLine bounds a line that is looked at; what follows in the same line is
// still written out, but not matched.
const maxLine = 4096

// lines cuts plain text into lines.
type lines struct {
	buf  []byte
	emit func(string)
}

func (l *lines) write(text []byte) {
	for _, b := range text {
		switch {
		case b == '\n':
			l.flush()
		case len(l.buf) < maxLine:
			l.buf = append(l.buf, b)
		}
	}
}

// flush ends a line that has no newline yet, at the end of all output.
func (l *lines) flush() {
	l.emit(string(l.buf))
	l.buf = l.buf[:0]
}
