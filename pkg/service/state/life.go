package state

import (
	"cmp"
	"fmt"

	"slipway/pkg/bundle"
)

// happened enters what became of an action.
func (s *Set) happened(svc *service, e Event) {
	switch e.Kind {
	case Started:
		s.started(svc, e)
	case StartFailed:
		if svc.State == Starting {
			// One whose start hangs has been tried, as far as others are concerned.
			svc.First = svc.First || e.Hangs
			s.fails(svc, e.Cause)
		}
	case StartHangs:
		if svc.State == Starting {
			s.hangs(svc, e.Cause)
		}
	case FoundStart:
		s.foundStart(svc, e.Found)
	case BecameReady:
		if svc.State == Running {
			s.ready(svc, e.Cause)
		}
	case Unhealthy:
		if svc.State == Ready {
			s.takeDown(svc, "unhealthy: "+e.Cause)
		}
	case Ended:
		s.ended(svc, e)
	case Cleaned:
		if svc.State == Cleaning {
			s.cleaned(svc)
		}
	case TimerRang:
		s.rang(svc, e)
	}
}

// ready takes a service as up, and begins to look after its health.
func (s *Set) ready(svc *service, cause string) {
	svc.ReadyAt, svc.First = s.now, true
	if svc.policy.Ready.Kind != bundle.ProbeStarted {
		svc.Trouble = "" // to have started proves less
	}
	s.move(svc, Ready, cause)
	s.watch(svc)
}

func (s *Set) watch(svc *service) {
	if svc.policy.Health.Kind != "" {
		s.do(Action{Do: DoWatch, Name: svc.Name, Run: svc.Run})
	}
}

func (s *Set) started(svc *service, e Event) {
	if svc.State != Starting {
		return
	}
	svc.Proc, svc.StartedAt = e.Proc, s.now
	s.move(svc, Running, e.Cause)
	if kind := svc.policy.Ready.Kind; kind == bundle.ProbeStarted || kind == "" {
		s.ready(svc, "")
		return
	}
	s.do(Action{Do: DoProbe, Name: svc.Name, Run: svc.Run})
	s.timer(svc, ReadyTimeout, svc.policy.ReadyTimeout)
}

// hangs gives the place of a start that does not get on to others. One that gets on
// after all has it again, beside theirs.
func (s *Set) hangs(svc *service, in string) {
	s.count(svc, -1)
	svc.Hangs = in
	s.count(svc, 1)
	s.touch(svc)
}

// fails is for a start that failed: there is nothing to end, only to clean.
func (s *Set) fails(svc *service, cause string) {
	svc.Outcome = Failure
	s.move(svc, Cleaning, cause)
	s.do(Action{Do: DoClean, Name: svc.Name, Run: svc.Run})
}

// takeDown stops a service that counts as failed.
func (s *Set) takeDown(svc *service, cause string) {
	svc.Outcome = Failure
	s.signal(svc, cause)
}

func (s *Set) signal(svc *service, cause string) {
	svc.Killed = false // a start that was called off may have come about
	s.move(svc, Stopping, cause)
	s.do(Action{Do: DoSignal, Name: svc.Name, Run: svc.Run, Sig: svc.policy.StopSignal})
	s.timer(svc, StopTimeout, svc.policy.StopTimeout)
}

// ended enters the end of the program. One that was told to stop has not
// failed, whatever its status is, unless it was told because it had.
func (s *Set) ended(svc *service, e Event) {
	if svc.State != Running && svc.State != Ready && svc.State != Stopping {
		return
	}
	s.forgiveAndNote(svc, e)
	cause := svc.LastExit.Cause
	switch {
	case svc.State == Stopping && svc.Outcome == Failure:
		cause = svc.Cause // why it was taken down says more
	case svc.State != Stopping && (!e.Status.Success() || e.Cause != ""):
		svc.Outcome = Failure
	case svc.Outcome == "":
		svc.Outcome = Success
	}
	s.move(svc, Cleaning, cause)
	s.do(Action{Do: DoClean, Name: svc.Name, Run: svc.Run})
}

func (s *Set) forgiveAndNote(svc *service, e Event) {
	svc.forgive(s.now)
	svc.noteExit(s.now, e)
}

// killAgain is how long the kernel has to end a killed cgroup before it is
// killed again: a process may have been forked meanwhile.
const killAgain = 5e9

func (s *Set) rang(svc *service, e Event) {
	switch {
	case e.Timer == ReadyTimeout && svc.State == Running:
		s.takeDown(svc, notReady(svc, e.Cause))
	case e.Timer == StopTimeout && svc.State == Stopping && svc.Killed && s.ending:
		// Nobody waits any longer for what the kernel does not end.
		s.ended(svc, Event{Cause: "does not die, left behind"})
	case e.Timer == StopTimeout && svc.State == Stopping:
		svc.Killed = true
		s.touch(svc)
		s.do(Action{Do: DoKill, Name: svc.Name, Run: svc.Run})
		s.timer(svc, StopTimeout, killAgain)
	case e.Timer == Pause && svc.State == Backoff:
		s.move(svc, Waiting, svc.Cause)
	}
}

// notReady words that a service took too long, with what its probe met last.
func notReady(svc *service, last string) string {
	return fmt.Sprintf("not ready after %s: %s", svc.policy.ReadyTimeout, cmp.Or(last, "nothing came of "+svc.policy.Ready.String()))
}

// cleaned decides how it goes on with a service of which nothing is left.
func (s *Set) cleaned(svc *service) {
	outcome, cause := svc.Outcome, svc.Cause
	if outcome == Failure {
		svc.Trouble = cause
	}
	again := svc.Again
	svc.Proc.Pid, svc.Proc.Start = 0, 0
	svc.First = true
	switch {
	case svc.Fallen != "" && !s.ending:
		s.giveUp(svc, Failed, svc.Fallen)
	case !svc.Wanted || s.ending:
		svc.Again = false
		s.move(svc, Stopped, cause)
	case again:
		svc.Again, svc.Delay = false, 0
		s.move(svc, Waiting, "restart was asked for")
	case !svc.restarts():
		to := Exited
		if outcome == Failure {
			to = Failed
		}
		s.giveUp(svc, to, cause)
	case svc.overLimit(s.now):
		l := svc.policy.RestartLimit
		s.giveUp(svc, Failed, fmt.Sprintf("%s, more than %d restarts in %s", cause, l.Count, l.Window))
	default:
		svc.Restarts++
		pause := svc.nextDelay(s.jitter())
		svc.Resume = s.now.Add(pause)
		s.move(svc, Backoff, cause)
		s.timer(svc, Pause, pause)
	}
	svc.Outcome = ""
}

// giveUp ends a service by itself. What a failure means for the machine is
// for its policy to say, and what requires it falls with it.
func (s *Set) giveUp(svc *service, to State, cause string) {
	svc.Wanted, svc.First = false, true
	s.move(svc, to, cause)
	if to != Failed {
		return
	}
	s.failMachine(svc)
	s.drop(svc, chain(svc))
}

// failMachine has the machine do what the policy of a failed service says.
func (s *Set) failMachine(svc *service) {
	if p := svc.policy.OnFailure; p != "" && p != bundle.Continue && !s.ending {
		s.do(Action{Do: DoMachine, Name: svc.Name, Cause: svc.Cause})
	}
}

// drop makes what requires svc fall with it, and what requires that in turn.
func (s *Set) drop(svc *service, cause string) {
	for _, user := range svc.behind {
		if !user.Wanted || !user.requires(svc) {
			continue
		}
		s.want(user, false)
		user.Fallen = cause
		s.drop(user, fmt.Sprintf("requires %s, which %s", user.Name, cause))
	}
}
