package state

import (
	"time"

	"slipway/pkg/reap"
)

// Found is what a new supervisor sees of a service's last run.
type Found struct {
	// Proc is its process, if one could be made out.
	Proc    reap.Ident
	Running bool // it runs, and its program has been started
	// Ended: it ran and has ended, with Status unless Cause says otherwise.
	Ended  bool
	Status reap.Status
	OOM    bool
	Cause  string
}

// Restore goes on with a service where the supervisor before was killed. It is
// called once for each service that has a record, before any event.
func (s *Set) Restore(now time.Time, rec Record, found Found) Result {
	s.begin(now)
	if svc := s.services[rec.Name]; svc != nil {
		s.count(svc, -1)
		svc.Record, svc.restored = rec, true
		// One that is ready has had its first start, whoever wrote the record.
		svc.First = rec.First || rec.State == Ready
		s.count(svc, 1)
		s.resume(svc, found)
	}
	r := Result{Changes: s.changes, Actions: s.actions}
	if svc := s.services[rec.Name]; svc != nil && svc.dirty {
		r.Dirty = []string{rec.Name}
	}
	return r
}

func (s *Set) resume(svc *service, found Found) {
	switch svc.State {
	case Starting:
		s.do(Action{Do: DoFind, Name: svc.Name, Run: svc.Run})
		if svc.Killed {
			s.do(Action{Do: DoCancel, Name: svc.Name, Run: svc.Run})
		}
	case Running, Ready, Stopping:
		if !found.Running {
			s.ended(svc, found.end(svc))
			return
		}
		s.resumeRun(svc)
	case Cleaning:
		s.do(Action{Do: DoClean, Name: svc.Name, Run: svc.Run})
	case Failed:
		// The supervisor may have died before it could. A machine that is on
		// its way down already takes no harm.
		s.failMachine(svc)
	case Backoff:
		// The clock may have been set meanwhile.
		left := min(svc.Resume.Sub(s.now), svc.policy.RestartMaxDelay)
		s.timer(svc, Pause, max(0, left))
	}
}

// foundStart: the supervisor died between the beginning of a start and its end.
// A program that had been started counts; otherwise it is tried again.
func (s *Set) foundStart(svc *service, found Found) {
	if svc.State != Starting {
		return
	}
	if !found.Running && !found.Ended {
		svc.Again = svc.Wanted
		s.move(svc, Cleaning, "the supervisor died during the start")
		s.do(Action{Do: DoClean, Name: svc.Name, Run: svc.Run})
		return
	}
	s.started(svc, Event{Proc: found.Proc, Cause: "found running by a new supervisor"})
	if found.Ended {
		s.ended(svc, found.end(svc))
	}
}

func (s *Set) resumeRun(svc *service) {
	switch svc.State {
	case Running:
		s.do(Action{Do: DoProbe, Name: svc.Name, Run: svc.Run})
		s.timer(svc, ReadyTimeout, svc.policy.ReadyTimeout)
	case Ready:
		s.watch(svc)
	case Stopping:
		s.do(Action{Do: DoSignal, Name: svc.Name, Run: svc.Run, Sig: svc.policy.StopSignal})
		s.timer(svc, StopTimeout, svc.policy.StopTimeout)
	}
}

func (f Found) end(svc *service) Event {
	return Event{Kind: Ended, Name: svc.Name, Run: svc.Run, Status: f.Status, OOM: f.OOM, Cause: f.Cause}
}
