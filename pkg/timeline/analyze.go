package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Unit is what one waits for as a whole: a container, until it has run (onboot,
// onshutdown) or is ready (services), or a step of PID 1.
type Unit struct {
	Name   string        `json:"name"`
	Phase  string        `json:"phase"`
	Begin  time.Duration `json:"begin"` // in nanoseconds, as Ready; see json.go
	Ready  time.Duration `json:"ready"`
	After  []string      `json:"after,omitempty"`
	Failed bool          `json:"failed,omitempty"`
	Open   bool          `json:"open,omitempty"` // it is still waited for
	Steps  []Span        `json:"steps,omitempty"`
}

// Took is how long it kept others waiting.
func (u Unit) Took() time.Duration { return u.Ready - u.Begin }

// Units joins the spans of the first start of each container; a restart, which
// begins with a step that was there before, is not part of the boot.
func Units(spans []Span) []Unit {
	var units []Unit
	at := map[string]int{}
	over := map[string]bool{}
	for _, s := range spans {
		if s.Event {
			continue
		}
		name := cmp.Or(s.Container, s.Name)
		key := s.Phase + "\x00" + name
		i, known := at[key]
		if !known {
			i = len(units)
			at[key] = i
			units = append(units, Unit{Name: name, Phase: s.Phase, Begin: s.Begin, Ready: s.Begin})
		}
		u := &units[i]
		again := slices.ContainsFunc(u.Steps, func(o Span) bool { return o.Name == s.Name })
		if again && s.Container != "" {
			over[key] = true
		}
		if over[key] {
			continue
		}
		u.Steps = append(u.Steps, s)
		u.After = append(u.After, s.After...)
		u.Failed = u.Failed || s.Err != ""
		if !runs(s) {
			u.Ready = max(u.Ready, s.End)
			u.Open = u.Open || s.Open
		}
	}
	return units
}

// Outcome words how the boot went: "ready" if nothing has failed and nothing is
// waited for; else "over" or "not over", and how many there are of both.
func Outcome(spans []Span) (word, counts string) {
	failed, open := 0, 0
	for _, u := range Units(spans) {
		switch {
		case u.Phase == PhaseShutdown:
		case u.Failed:
			failed++
		case u.Open:
			open++
		}
	}
	word = "ready"
	if failed > 0 {
		word, counts = "over", fmt.Sprintf(", %d failed", failed)
	}
	if open > 0 {
		word, counts = "not over", counts+fmt.Sprintf(", %d not ready", open)
	}
	return word, counts
}

// PhaseTime is a phase and what it took.
type PhaseTime struct {
	Phase string        `json:"phase"`
	Begin time.Duration `json:"begin"` // in nanoseconds, as End; see json.go
	End   time.Duration `json:"end"`
}

var phases = []string{PhaseKernel, PhaseInit, PhaseOnboot, PhaseServices, PhaseShutdown}

// Analyze gives the phases in order. What lies before the first span is the
// kernel's, and what came before it.
func Analyze(spans []Span) []PhaseTime {
	var all []PhaseTime
	if first := firstBegin(spans); first > 0 {
		all = append(all, PhaseTime{PhaseKernel, 0, first})
	}
	units := Units(spans)
	for _, phase := range phases[1:] {
		t := PhaseTime{Phase: phase, Begin: -1}
		for _, u := range units {
			if u.Phase != phase {
				continue
			}
			if t.Begin < 0 {
				t.Begin = u.Begin
			}
			t.Begin, t.End = min(t.Begin, u.Begin), max(t.End, u.Ready)
		}
		if t.Begin >= 0 {
			all = append(all, t)
		}
	}
	return all
}

func firstBegin(spans []Span) time.Duration {
	var first time.Duration
	for _, s := range spans {
		if s.Phase != PhaseKernel && (first == 0 || s.Begin < first) {
			first = s.Begin
		}
	}
	return first
}

// Blame gives the units, those that took longest first.
func Blame(spans []Span) []Unit {
	units := slices.DeleteFunc(Units(spans), func(u Unit) bool { return u.Took() == 0 })
	slices.SortStableFunc(units, func(a, b Unit) int { return int(b.Took() - a.Took()) })
	return units
}

// CriticalChain gives what the end of the boot waited for, last first: each
// unit is followed by the one whose readiness it had to wait for longest. A
// service waits for what it names; without a name, and for everything else,
// that is what was over last before it began.
func CriticalChain(spans []Span) []Unit {
	units := slices.DeleteFunc(Units(spans), func(u Unit) bool { return u.Phase == PhaseShutdown })
	var chain []Unit
	seen := map[string]bool{}
	u, ok := latest(units, func(Unit) bool { return true })
	for ok {
		chain = append(chain, u)
		seen[u.Phase+u.Name] = true
		next, named := latest(units, func(c Unit) bool {
			return !seen[c.Phase+c.Name] && slices.Contains(u.After, c.Name) && c.Phase == u.Phase
		})
		if !named {
			next, named = latest(units, func(c Unit) bool {
				return !seen[c.Phase+c.Name] && c.Ready <= u.Begin && (c.Phase != PhaseServices || u.Phase != PhaseServices)
			})
		}
		u, ok = next, named
	}
	return chain
}

func latest(units []Unit, ok func(Unit) bool) (last Unit, found bool) {
	for _, u := range units {
		if ok(u) && (!found || u.Ready >= last.Ready) {
			last, found = u, true
		}
	}
	return last, found
}
