package timeline

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// What failed, or is still waited for, is counted and drawn: such a boot is not
// called ready.
func TestOutcome(t *testing.T) {
	ok := Span{Name: StepCreate, Phase: PhaseServices, Container: "ok", End: time.Second}
	runs := Span{Name: StepRun, Phase: PhaseServices, Container: "ok", Begin: time.Second, End: 2 * time.Second, Open: true}
	step := Span{Name: "clock", Phase: PhaseInit, End: time.Second, Err: "no clock"}
	died := Span{Name: StepRun, Phase: PhaseServices, Container: "bad", Begin: time.Second, End: 2 * time.Second, Err: "exit status 1"}
	again := Span{Name: StepRun, Phase: PhaseServices, Container: "bad", Begin: 3 * time.Second, End: 4 * time.Second, Err: "exit status 1"}
	waits := Span{Name: StepReady, Phase: PhaseServices, Container: "late", Begin: time.Second, End: 5 * time.Second, Open: true}
	hangs := Span{Name: StepRun, Phase: PhaseOnboot, Container: "hangs", Begin: time.Second, End: 5 * time.Second, Open: true}
	down := Span{Name: StepRun, Phase: PhaseShutdown, Container: "bye", Begin: 6 * time.Second, End: 7 * time.Second, Err: "exit status 1"}
	for _, tt := range []struct {
		spans        []Span
		word, counts string
	}{
		{nil, "ready", ""},
		{[]Span{ok, runs, down}, "ready", ""},
		{[]Span{ok, runs, step, died, again}, "over", ", 2 failed"},
		{[]Span{ok, runs, waits, hangs}, "not over", ", 2 not ready"},
		{[]Span{step, waits}, "not over", ", 1 failed, 1 not ready"},
	} {
		word, counts := Outcome(tt.spans)
		if word != tt.word || counts != tt.counts {
			t.Errorf("%v: %q %q, want %q %q", tt.spans, word, counts, tt.word, tt.counts)
		}
		var svg, text bytes.Buffer
		if err := errors.Join(Plot(&svg, "m", tt.spans), WriteAnalyze(&text, tt.spans)); err != nil {
			t.Fatal(err)
		}
		if want := "after power-on" + tt.counts; !strings.Contains(svg.String(), want) || !strings.Contains(text.String(), want) ||
			!strings.Contains(svg.String(), ">"+tt.word+" ") {
			t.Errorf("%q is not in\n%s%s", tt.word+" "+want, text.String(), svg.String())
		}
		if tt.word != "ready" && strings.Contains(strings.ReplaceAll(svg.String(), "not ready", ""), ">ready ") {
			t.Errorf("it is called ready:\n%s", svg.String())
		}
	}
}
