package supervisor

import (
	"fmt"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/service/state"
)

// Who waits longer than firstReminder is named on the console, and again each
// time the wait has grown to twice as long, at the latest after longestPause.
const (
	firstReminder = 3 * time.Second
	longestPause  = 5 * time.Minute
	// together is how much sooner one is named, for the sake of one line.
	together = time.Second
	// maxNamed bounds a line for a slow console.
	maxNamed = 12
)

// wait is one service that waits, or that is waited for, in one state.
type wait struct {
	state       state.State
	since, next time.Time
}

// reminders are who waits at the moment, and what stops the next reminder.
type reminders struct {
	waits map[string]wait
	// pauses are how long one that was named is not named again. They outlast the
	// states of a crash loop.
	pauses map[string]time.Duration
	stop   func()
	due    time.Time
}

// trackWaits enters in the list of those who wait services whose records have changed, and
// sets the timer for the first to be named. There is none when nobody waits: an idle machine sleeps.
func (s *Supervisor) trackWaits(names ...string) {
	now := s.Clock.Now()
	p := &s.reminders
	for _, name := range names {
		rec := s.set.Peek(name)
		switch w, known := p.waits[name]; {
		case !s.waits(rec):
			delete(p.waits, name)
			if rec.State == state.Ready || rec.State.Final() {
				delete(p.pauses, name)
			}
		case !known || w.state != rec.State:
			next := now.Add(max(firstReminder, p.pauses[name]))
			p.waits[name] = wait{state: rec.State, since: now, next: next}
			if p.due.IsZero() || next.Before(p.due) {
				s.setReminder(now, next)
			}
		}
	}
	if len(p.waits) == 0 { // else one that is set for who waits no more finds the next
		s.setReminder(now, time.Time{})
	}
}

func (s *Supervisor) setReminder(now, due time.Time) {
	p := &s.reminders
	p.due = due
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	if !due.IsZero() {
		p.stop = s.Clock.AfterFunc(due.Sub(now), func() { s.post(s.remind) })
	}
}

// remind names those who have waited too long and are due, or will be in a moment.
func (s *Supervisor) remind() {
	now := s.Clock.Now()
	p := &s.reminders
	var who []string
	for _, name := range s.set.Names() {
		w, waits := p.waits[name]
		waited := now.Add(together).Sub(w.since)
		if !waits || waited < firstReminder || now.Add(together).Before(w.next) {
			continue
		}
		who = append(who, s.whatFor(s.set.Peek(name)))
		w.next = now.Add(min(waited, longestPause))
		p.waits[name] = w
		p.pauses[name] = min(2*waited, longestPause)
	}
	if more := len(who) - maxNamed; more > 0 {
		who = append(who[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	if len(who) > 0 {
		s.Guest.Say("waiting for %s", strings.Join(who, ", "))
	}
	s.setReminder(now, p.earliest())
}

// earliest is when the next one is to be named; zero if nobody waits.
func (p *reminders) earliest() (due time.Time) {
	for _, w := range p.waits {
		if due.IsZero() || w.next.Before(due) {
			due = w.next
		}
	}
	return due
}

// waits tells whether somebody waits for this service to get on: itself for
// others, the boot for its start, or the machine's end for its stop.
func (s *Supervisor) waits(rec *state.Record) bool {
	switch rec.State {
	case state.Starting, state.Running, state.Stopping, state.Cleaning:
		return true
	case state.Waiting:
		return rec.Blocked != "" && !s.stopping
	}
	return false
}

// whatFor words it.
func (s *Supervisor) whatFor(rec *state.Record) string {
	switch rec.State {
	case state.Waiting:
		return rec.Name + " (for " + rec.Blocked + ")"
	case state.Starting:
		if rec.Hangs != "" {
			return rec.Name + " to start (it hangs: " + rec.Hangs + ")"
		}
		return rec.Name + " to start"
	case state.Running:
		return rec.Name + " to be ready" + s.probeOf(rec.Name)
	case state.Stopping:
		return rec.Name + " to stop"
	}
	return rec.Name + " to be cleaned up"
}

// probeOf tells what a service is asked before it counts as ready, and what
// came of it.
func (s *Supervisor) probeOf(name string) string {
	b, l := s.bundles[name], s.lives[name]
	switch {
	case b == nil || l == nil:
		return ""
	case b.Policy.Ready.Kind == bundle.ProbeNotify || l.lastFailure() == "":
		return " (" + b.Policy.Ready.String() + ")"
	}
	return " (" + b.Policy.Ready.String() + ": " + l.lastFailure() + ")"
}
