package qemu

import (
	"slices"
	"strings"
	"testing"
)

var plainCases = map[string]string{
	"a\r\nb\r\r\nc\n":                    "a\nb\nc\n",
	"\x1b[1;31mred\x1b[0m\r\n":           "red\n",
	"\x1b]0;title\x07x\x1b]2;t\x1b\\y":   "xy",
	"10%\r20%\r\x1b[Kdone\r\n":           "10%\n20%\ndone\n",
	"\x1bcreset \x1b(Bset":               "reset set",
	"tab\tbell\x07 nul\x00 äö":           "tab\tbell nul äö",
	"\x1b[?25l\x1b[2J\x1b[6nslipway: ok": "slipway: ok",
}

func TestPlain(t *testing.T) {
	for in, want := range plainCases {
		var whole, split plain
		if got := string(whole.filter(nil, []byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		var got []byte
		for i := range len(in) { // a read may end anywhere
			got = split.filter(got, []byte{in[i]})
		}
		if string(got) != want {
			t.Errorf("%q byte by byte: %q, want %q", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	l := lines{emit: func(s string) { got = append(got, s) }}
	l.write([]byte("one\ntw"))
	l.write([]byte("o\n" + strings.Repeat("x", 3*maxLine) + "\nlast"))
	l.flush()
	want := []string{"one", "two", strings.Repeat("x", maxLine), "last"}
	if !slices.Equal(got, want) {
		t.Errorf("lines of lengths %v, want %v", lengths(got), lengths(want))
	}
}

func lengths(list []string) (n []int) {
	for _, s := range list {
		n = append(n, len(s))
	}
	return n
}

func FuzzPlain(f *testing.F) {
	for in := range plainCases {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var p plain
		for _, b := range p.filter(nil, in) {
			if b < ' ' && b != '\n' && b != '\t' || b == 0x7f {
				t.Fatalf("control byte %#x got through of %q", b, in)
			}
		}
	})
}
