package escape

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"a\tb ü \"\\":                 "a\tb ü \"\\",
		"a\nslipway: b\r":             `a\nslipway: b\r`,
		"\x1b[2J\x00\x7f":             `\x1b[2J\x00\x7f`,
		"\xff\xc3":                    `\xff\xc3`,
		"\u202eevil\u2028\u0085":      `\u202eevil\u2028\u0085`,
		"\u200bwidth\ufeff\U000e0001": `\u200bwidth\ufeff\U000e0001`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\n\x1b\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
