package timeline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// box is where a text of the picture lies.
type box struct {
	text     string
	from, to float64
	y        int
}

// texts finds all texts of a picture and its width and height.
func texts(t *testing.T, svg []byte) (all []box, width, height float64) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, width, height
		}
		if err != nil {
			t.Fatal(err)
		}
		e, is := token.(xml.StartElement)
		if !is {
			continue
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		number := func(key string) float64 {
			v, err := strconv.ParseFloat(attr[key], 64)
			if err != nil {
				t.Fatalf("%s of %v: %v", key, e, err)
			}
			return v
		}
		switch e.Name.Local {
		case "svg":
			width, height = number("width"), number("height")
		case "text":
			token, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			text, is := token.(xml.CharData)
			if !is {
				t.Fatalf("a text without any at %v", attr)
			}
			w := textWidth(string(text))
			if strings.Contains(attr["class"], "h") && number("y") < 50 {
				w *= 1.5
			}
			b := box{string(text), number("x"), number("x") + w, int(number("y"))}
			if strings.Contains(attr["class"], "end") {
				b.from, b.to = b.from-w, b.from
			} else if strings.Contains(attr["class"], "mid") {
				b.from, b.to = b.from-w/2, b.from+w/2
			}
			all = append(all, b)
		}
	}
}

// machineOf has n containers that take any time, with names of any length.
func machineOf(n int, rnd *rand.Rand) []Span {
	var spans []Span
	at := time.Duration(rnd.Int64N(int64(20 * time.Second)))
	span := func(name, phase, container string, took time.Duration, after ...string) {
		s := Span{Name: name, Phase: phase, Container: container, Begin: at, End: at + took, After: after}
		if rnd.IntN(20) == 0 {
			s.Err = "no <such> file"
		}
		spans = append(spans, s)
		at += took
	}
	some := func() time.Duration {
		return time.Duration(rnd.ExpFloat64() * float64(time.Millisecond) * float64(1+rnd.IntN(400)))
	}
	for i := range 24 {
		span(fmt.Sprint("step ", i), PhaseInit, "", some())
	}
	last := at
	for i := range n {
		phase, name := PhaseOnboot, fmt.Sprintf("%03d-%s", i, strings.Repeat("wWi", rnd.IntN(14)))
		if i > n/3 {
			phase, at = PhaseServices, last+some()
			span(StepRun, phase, name, 0)
			spans[len(spans)-1].Open = rnd.IntN(2) == 0
		}
		span(StepPrepare, phase, name, some()/10)
		span(StepCreate, phase, name, some(), fmt.Sprint("after ", i-1))
		span(StepReady, phase, name, some()*time.Duration(1+rnd.IntN(30)*rnd.IntN(2)))
		if phase == PhaseOnboot {
			last = at
		}
	}
	return spans
}

// No text of the picture is cut off, and none lies on another.
func TestTextsHaveRoom(t *testing.T) {
	for seed := range uint64(60) {
		n := []int{0, 1, 3, 10, 40, 200}[seed%6]
		var svg bytes.Buffer
		if err := Plot(&svg, strings.Repeat("a title ", 1+int(seed%12)), machineOf(n, rand.New(rand.NewPCG(seed, 0)))); err != nil {
			t.Fatal(err)
		}
		all, width, height := texts(t, svg.Bytes())
		rows := map[int][]box{}
		for _, b := range all {
			if b.from < 0 || b.to > width || b.y < 10 || float64(b.y) > height-4 {
				t.Errorf("seed %d: %q is cut off: %v of %v x %v", seed, b.text, b, width, height)
			}
			for _, o := range rows[b.y] {
				if b.from < o.to && o.from < b.to {
					t.Errorf("seed %d: %q and %q lie on each other: %v %v", seed, b.text, o.text, b, o)
				}
			}
			rows[b.y] = append(rows[b.y], b)
		}
		if len(rows) < n {
			t.Errorf("seed %d: %d rows of text for %d containers", seed, len(rows), n)
		}
	}
}
