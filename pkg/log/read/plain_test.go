package read

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/test/poll"
)

// foreign is a machine with logs that have no index, as LinuxKit leaves them.
func foreign(t *testing.T, files map[string]string) layout.Paths {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return layout.Paths{Run: filepath.Join(dir, "run"), Log: dir}
}

// all are the lines of web, as text, with the stream in front.
func all(t *testing.T, p layout.Paths, q Query) []string {
	t.Helper()
	var lines []string
	for l, err := range Read(t.Context(), p, bundle.Services, "web", q) {
		if err != nil {
			t.Fatal(err)
		}
		if !l.Time.IsZero() {
			t.Errorf("%q has a time", l.Show())
		}
		lines = append(lines, l.Stream.String()+" "+l.Show())
	}
	return lines
}

// The oldest file comes first, a line may begin in one and end in the next, and what
// has no newline is a line too.
func TestPlainLogs(t *testing.T) {
	rotated := map[string]string{"web.out.log.1": "a\nb", "web.out.log.0": "b\n", "web.out.log": "c", "web.log": "bad\n", "web.log.1": "not in the row\n"}
	long := strings.Repeat("x", maxLine+5)
	for name, c := range map[string]struct {
		files map[string]string
		q     Query
		want  []string
	}{
		"none":     {nil, Query{}, nil},
		"rotated":  {rotated, Query{}, []string{"stdout a", "stdout bb", "stdout c", "stderr bad"}},
		"tail":     {rotated, Query{Tail: 2}, []string{"stdout c", "stderr bad"}},
		"more":     {rotated, Query{Tail: 9}, []string{"stdout a", "stdout bb", "stdout c", "stderr bad"}},
		"since":    {rotated, Query{Since: time.Unix(1, 0)}, nil}, // nobody knows when it was
		"a hole":   {map[string]string{"web.out.log": "a" + strings.Repeat("\x00", holeMin) + "b\n"}, Query{}, []string{"stdout a", "stdout -- a hole of 16 bytes, left by a power cut --", "stdout b"}},
		"no hole":  {map[string]string{"web.out.log": "a" + strings.Repeat("\x00", 2) + "b\n"}, Query{}, []string{`stdout a\x00\x00b`}},
		"cut":      {map[string]string{"web.out.log": long + "\nb\n"}, Query{}, []string{"stdout " + long[:maxLine], "stdout xxxxx", "stdout b"}},
		"an empty": {map[string]string{"web.out.log": "\n\nx\n"}, Query{}, []string{"stdout ", "stdout ", "stdout x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := all(t, foreign(t, c.files), c.q); !slices.Equal(got, c.want) {
				t.Errorf("%.200q, want %.200q", got, c.want)
			}
		})
	}
}

// A hole that two files share is one, with all of its bytes.
func TestHoleOverTwoFiles(t *testing.T) {
	p := foreign(t, map[string]string{"web.out.log.0": "a\n" + strings.Repeat("\x00", 10), "web.out.log": strings.Repeat("\x00", 10) + "b\n"})
	var got []Line
	for l, err := range Read(t.Context(), p, bundle.Services, "web", Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	if len(got) != 3 || !got[1].Hole || got[1].Lost != 20 || !bytes.Equal(got[2].Text, []byte("b")) {
		t.Errorf("%+v", got)
	}
}

// The pieces of a long line say that they are some.
func TestPartsOfALongLine(t *testing.T) {
	p := foreign(t, map[string]string{"web.out.log": strings.Repeat("x", 2*maxLine+1) + "\ny\n"})
	var parts string
	length := 0
	for l, err := range Read(t.Context(), p, bundle.Services, "web", Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		parts += fmt.Sprintf("%d:%v ", len(l.Text), l.Part)
		length += len(l.Text)
	}
	if want := fmt.Sprintf("%d:true %d:true 1:false 1:false ", maxLine, maxLine); parts != want || length != 2*maxLine+2 {
		t.Errorf("%s, want %s", parts, want)
	}
}

// What somebody has put in the place of a log is passed over, and waited for by
// nobody.
func TestWhatIsNoLog(t *testing.T) {
	p := foreign(t, map[string]string{"web.log": "text\n"})
	if err := unix.Mkfifo(filepath.Join(p.Log, "web.out.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := all(t, p, Query{}); !slices.Equal(got, []string{"stderr text"}) {
		t.Errorf("%q", got)
	}
}

// A reader that has enough ends, and so does one that follows when its context does.
func TestReadingEnds(t *testing.T) {
	p := foreign(t, map[string]string{"web.out.log": strings.Repeat("line\n", 1000)})
	n := 0
	for range Read(t.Context(), p, bundle.Services, "web", Query{}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan bool)
	go func() {
		defer close(over)
		for l, err := range Read(ctx, p, bundle.Services, "db", Query{Follow: true}) {
			t.Errorf("%q %v", l.Show(), err)
		}
	}()
	// It watches a directory that it makes if need be.
	at := p.Section(bundle.Services, "db")
	poll.Until(t, "the directory", func() bool { _, err := os.Stat(at.Memory); return err == nil })
	cancel()
	<-over
}

// Without a supervisor that stores there is nothing in memory to show the end of.
func TestTailOfNothing(t *testing.T) {
	if lines, err := Tail(foreign(t, nil), bundle.Services, "web", 10); err != nil || lines != nil {
		t.Errorf("%v %v", lines, err)
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		line Line
		want string
	}{
		{Line{Text: []byte("plain")}, "plain"},
		{Line{Text: []byte("\x1b[2J")}, `\x1b[2J`},
		{Line{Lost: 7}, "-- 7 bytes lost --"},
		{Line{Lost: 7, Hole: true}, "-- a hole of 7 bytes, left by a power cut --"},
	} {
		if got := c.line.Show(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
