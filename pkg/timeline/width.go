package timeline

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"
)

// textWidth is about how wide a text of 12 pixels is, in a font that is on the
// wide side. Letters that are not Latin count as wide.
func textWidth(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijl.,:;|'!() ", r):
			w += 4
		case strings.ContainsRune("mwMW@%", r):
			w += 12
		case r > 0x2e80:
			w += 13
		case r > 0x24f || r >= 'A' && r <= 'Z':
			w += 9
		default:
			w += 7.4
		}
	}
	return w
}

// clipWidth shortens s to a width in pixels.
func clipWidth(s string, width float64) string {
	if textWidth(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && textWidth(string(r))+12 > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// human is a time with three digits.
func human(d time.Duration) string {
	switch s := d.Seconds(); {
	case d <= 0:
		return "0 ms"
	case d < 950*time.Microsecond:
		return fmt.Sprintf("%.1f ms", s*1e3)
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case s < 9.995:
		return fmt.Sprintf("%.2f s", s)
	case s < 99.95:
		return fmt.Sprintf("%.1f s", s)
	default:
		return fmt.Sprintf("%.0f s", s)
	}
}

// escape makes text fit for XML, which has no place for control characters.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s))
}
