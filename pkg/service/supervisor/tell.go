package supervisor

import (
	"errors"
	"fmt"
	"time"

	"slipway/pkg/service/state"
	"slipway/pkg/timeline"
)

// tell says on the console what people want to know of a transition. What a
// policy makes happen again and again is told ever more rarely.
func (s *Supervisor) tell(t state.Transition) {
	rec, _ := s.set.Record(t.Name)
	switch t.To {
	case state.Running:
		s.say(t, "started, pid %d", rec.Proc.Pid)
		s.recordRun(rec)
	case state.Ready:
		if t.Duration > 0 {
			s.say(t, "ready after %s", short(t.Duration))
			now := timeline.Now()
			s.Host.Timeline.Span(timeline.StepReady, now-t.Duration, now,
				timeline.Phase(timeline.PhaseServices), timeline.Container(t.Name))
		}
	case state.Cleaning:
		s.recordEnd(rec)
	case state.Stopping:
		s.say(t, "stopping: %s", t.Cause)
	case state.Backoff:
		if !powerOfTwo(rec.Restarts) {
			return
		}
		s.say(t, "%s: %s; starting again in %s", failed(rec), t.Cause, short(rec.Resume.Sub(t.Time)))
		s.showTail(t)
	case state.Failed:
		s.say(t, "failed: %s", t.Cause)
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
	if l := s.lives[rec.Name]; l != nil && rec.Run == 1 {
		l.ranUntil = s.Host.Timeline.Begin(timeline.StepRun,
			timeline.Phase(timeline.PhaseServices), timeline.Container(rec.Name))
	}
}

func (s *Supervisor) recordEnd(rec state.Record) {
	l := s.lives[rec.Name]
	if l == nil || l.ranUntil == nil {
		return
	}
	var err error
	if rec.Outcome == state.Failure {
		err = errors.New(rec.Trouble)
	}
	l.ranUntil(err)
	l.ranUntil = nil
}

// failed words whether the last run got as far as to run.
func failed(rec state.Record) string {
	if rec.StartedAt.IsZero() {
		return "failed to start"
	}
	return "ended"
}

func (s *Supervisor) say(t state.Transition, format string, args ...any) {
	s.Host.Say("services %s: %s", t.Name, fmt.Sprintf(format, args...))
}

// showTail shows the last lines of output of a run that failed.
func (s *Supervisor) showTail(t state.Transition) {
	l := s.lives[t.Name]
	if l == nil {
		return
	}
	for _, line := range l.tail {
		s.Host.Print("  " + t.Name + ": " + line + "\n")
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
