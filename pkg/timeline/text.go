package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// width is what the texts fit into.
const width = 80

func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }

// clip shortens s to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// WriteAnalyze writes a line for each phase, with a bar, and the whole.
func WriteAnalyze(w io.Writer, spans []Span) error {
	all := Analyze(spans)
	var b strings.Builder
	var ready time.Duration
	for _, t := range all {
		if t.Phase != PhaseShutdown {
			ready = max(ready, t.End)
		}
	}
	const bar = 40
	for _, t := range all {
		from, to := 0, 0
		if ready > 0 && t.Phase != PhaseShutdown {
			from, to = int(t.Begin*bar/ready), int(t.End*bar/ready)
		}
		fmt.Fprintf(&b, "%-9s %10s  %s%s\n", t.Phase, seconds(t.End-t.Begin),
			strings.Repeat(" ", from), strings.Repeat("#", max(to-from, 1)))
	}
	word, counts := Outcome(spans)
	fmt.Fprintf(&b, "%-9s %10s  after power-on%s\n", word, seconds(ready), counts)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteBlame writes a line for each unit, longest first.
func WriteBlame(w io.Writer, spans []Span) error {
	var b strings.Builder
	for _, u := range Blame(spans) {
		fmt.Fprintf(&b, "%10s  %-9s%s%s\n", seconds(u.Took()), u.Phase, clip(u.Name, width-30), failed(u))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func failed(u Unit) string {
	switch {
	case u.Failed:
		return " (failed)"
	case u.Open:
		return " (not ready)"
	}
	return ""
}

// WriteCriticalChain writes what the end of the boot waited for, a line each:
// when it was begun, and what it took.
func WriteCriticalChain(w io.Writer, spans []Span) error {
	var b strings.Builder
	for i, u := range CriticalChain(spans) {
		indent := strings.Repeat(" ", min(i, 16))
		name := clip(u.Phase+" "+u.Name, width-len(indent)-40)
		fmt.Fprintf(&b, "%s%s @%s +%s%s\n", indent, name, seconds(u.Begin), seconds(u.Took()), failed(u))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
