package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/service/state"
	"slipway/pkg/timeline"
)

// tell says on the console what people want to know of a transition. What a
// policy makes happen again and again is told ever more rarely.
func (s *Supervisor) tell(t state.Transition) {
	rec, _ := s.set.Record(t.Name)
	switch t.To {
	case state.Running:
		if !s.unreported[t.Name] { // else it would look as if another had not ended
			s.say(t, "started, pid %d", rec.Proc.Pid)
		}
		delete(s.unreported, t.Name)
		s.recordRun(rec)
	case state.Ready:
		if t.Duration > 0 {
			s.say(t, "ready after %s", short(t.Duration))
			s.recordReady(rec)
		}
	case state.Cleaning:
		s.recordEnd(rec)
	case state.Stopping:
		if rec.Outcome != state.Failure { // else its end tells why
			s.say(t, "stopping: %s", t.Cause)
		}
	case state.Backoff:
		if !powerOfTwo(rec.Restarts) {
			s.unreported[t.Name] = true
			return
		}
		s.say(t, "%s: %s; starting again in %s", failed(rec), t.Cause, short(rec.Resume.Sub(t.Time)))
		s.showTail(t)
	case state.Failed:
		s.say(t, "failed: %s", t.Cause)
		if rec.Run == 0 { // nothing else tells of it
			now := timeline.Now()
			s.Guest.Timeline.Span("not started", now, now, errors.New(t.Cause), services(t.Name)...)
		}
		if t.From == state.Cleaning {
			s.showTail(t)
		}
	case state.Exited:
		s.say(t, "ended: %s", t.Cause)
	case state.Stopped:
		if t.From == state.Cleaning {
			s.say(t, "stopped: %s", t.Cause)
		}
	}
}

// recordRun enters in the timeline that a service runs: the first time, which
// may be part of the boot.
func (s *Supervisor) recordRun(rec state.Record) {
	l, b := s.lives[rec.Name], s.bundles[rec.Name]
	if l == nil || rec.Run != 1 {
		return
	}
	l.ranUntil = s.Guest.Timeline.Begin(timeline.StepRun, services(rec.Name)...)
	if b != nil && b.Policy.Ready.Kind != bundle.ProbeStarted {
		l.readyUntil = s.Guest.Timeline.Begin(timeline.StepReady, services(rec.Name)...)
	}
}

func services(name string) []timeline.Attr {
	return []timeline.Attr{timeline.Phase(timeline.PhaseServices), timeline.Container(name)}
}

// recordReady ends the wait for readiness.
func (s *Supervisor) recordReady(rec state.Record) {
	if l := s.lives[rec.Name]; l != nil && l.readyUntil != nil {
		l.readyUntil(nil)
		l.readyUntil = nil
	}
}

func (s *Supervisor) recordEnd(rec state.Record) {
	l := s.lives[rec.Name]
	if l == nil || l.ranUntil == nil {
		return
	}
	var err error
	if rec.Outcome == state.Failure {
		err = errors.New(cmp.Or(rec.Cause, string(rec.Outcome)))
	}
	l.ranUntil(err)
	l.ranUntil = nil
	if l.readyUntil != nil {
		l.readyUntil(errors.New("it was never ready"))
		l.readyUntil = nil
	}
}

// failed words whether the last run got as far as to run.
func failed(rec state.Record) string {
	if rec.StartedAt.IsZero() {
		return "failed to start"
	}
	return "ended"
}

func (s *Supervisor) say(t state.Transition, format string, args ...any) {
	s.Guest.Say("services %s: %s", t.Name, fmt.Sprintf(format, args...))
}

// showTail shows the last lines of output of a run that failed, but for the
// runtime's words of what has been told.
func (s *Supervisor) showTail(t state.Transition) {
	l := s.lives[t.Name]
	if l == nil || s.Guest.Quiet() {
		return
	}
	for _, line := range l.tail {
		if runtime.Repeats(l.err, line) {
			continue
		}
		s.Guest.Print("  " + t.Name + ": " + line + "\n")
	}
}

func powerOfTwo(n int) bool { return n > 0 && n&(n-1) == 0 }

// short is a duration with three digits at most.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
