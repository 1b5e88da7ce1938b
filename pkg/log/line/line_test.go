package line

import (
	"bytes"
	"testing"
)

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\n\nlonger than it may be\nb"), uint8(4), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, limit, cut uint8) {
		p := Splitter{Max: int(limit)%16 + 1}
		var got []byte
		line := func(text []byte, part bool) {
			if len(text) > p.Max {
				t.Fatalf("%d bytes", len(text))
			}
			got = append(got, text...)
			if !part {
				got = append(got, '\n')
			}
		}
		at := min(int(cut), len(data))
		p.Write(data[:at], line)
		p.Write(data[at:], line)
		p.Finish(line)
		want := data
		if len(want) > 0 && want[len(want)-1] != '\n' {
			want = append(bytes.Clone(want), '\n')
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
