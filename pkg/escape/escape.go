// Package escape makes text that comes from others fit to be shown: what could
// move a terminal's cursor, or begin a line that somebody else seems to have
// written, is spelled out.
package escape

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Append appends text with its control characters, and what is no UTF-8, in
// Go's notation. Tabs and all else stay as they are.
func Append(to, text []byte) []byte {
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

// Text is Append for a string.
func Text(s string) string { return string(Append(nil, []byte(s))) }

// Line makes one line of a message. Joined errors stand in a line each: here
// with a semicolon between them.
func Line(message string) string {
	return Text(strings.ReplaceAll(strings.TrimSpace(message), "\n", "; "))
}
