package supervisor

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"slipway/pkg/service/state"
)

// act begins one action. None of them waits here.
func (s *Supervisor) act(a state.Action) {
	l := s.lives[a.Name]
	switch a.Do {
	case state.DoStart:
		ctx, cancel := context.WithCancel(context.Background())
		l = &life{name: a.Name, run: a.Run, cancel: cancel}
		s.lives[a.Name] = l
		go s.start(ctx, l, s.bundles[l.name])
	case state.DoFind:
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel = cancel
		go s.findStart(ctx, l, s.bundles[l.name])
	case state.DoCancel:
		l.cancel()
	case state.DoSignal:
		l.endProbes()
		s.stop(l, a.Sig)
	case state.DoKill:
		s.kill(l, "does not stop")
	case state.DoClean:
		l.endProbes()
		go s.clean(l, s.bundles[l.name], l.starting)
		if s.stopping {
			s.leaveBehind(l)
		}
	case state.DoProbe:
		s.probeReady(l)
	case state.DoWatch:
		s.probeHealth(l)
	case state.DoSetTimer:
		s.setTimer(a)
	case state.DoMachine:
		s.giveUp(a.Name, a.Cause)
	}
}

// stop asks a service to stop, if it can hear that it is asked.
func (s *Supervisor) stop(l *life, sig int) {
	if !handles(l.container.Ident(), sig) {
		s.kill(l, "has no handler for "+unix.SignalName(unix.Signal(sig)))
		return
	}
	s.check(l.name, "signal", l.container.Signal(unix.Signal(sig)))
}

// kill ends what does not end by itself. It is tried again as long as that does
// not help, and told once.
func (s *Supervisor) kill(l *life, why string) {
	if !l.killed {
		s.Guest.Say("services %s: %s, killing it", l.name, why)
	}
	l.killed = true
	go func() {
		err := l.container.Kill()
		s.post(func() { s.check(l.name, "kill", err) })
	}()
}

// check tells of an action that failed. A process that has ended by itself
// meanwhile is no failure.
func (s *Supervisor) check(name, what string, err error) {
	if err != nil && !errors.Is(err, unix.ESRCH) {
		s.Guest.Say("services %s: %s: %s", name, what, err)
	}
}

func (s *Supervisor) setTimer(a state.Action) {
	key := timerKey{a.Name, a.Timer}
	if old := s.timers[key]; old != nil {
		old()
	}
	s.timers[key] = s.Clock.AfterFunc(a.For, func() {
		s.post(func() {
			e := state.Event{Kind: state.TimerRang, Name: a.Name, Run: a.Run, Timer: a.Timer}
			if l := s.lives[a.Name]; l != nil && a.Timer == state.ReadyTimeout {
				e.Cause = l.lastFailure()
			}
			s.report(s.submit(e))
		})
	})
}

// timerOf says in which state a service's timer means something.
var timerOf = map[state.State]state.Timeout{
	state.Running:  state.ReadyTimeout,
	state.Stopping: state.StopTimeout,
	state.Backoff:  state.Pause,
}

func (s *Supervisor) dropTimers(t state.Transition) {
	key := timerKey{t.Name, timerOf[t.From]}
	if stop := s.timers[key]; stop != nil {
		stop()
		delete(s.timers, key)
	}
}

// report tells of an event that the state machine refused. Only requests are
// refused, and those come from people, who get the error themselves.
func (s *Supervisor) report(err error) {
	if err != nil {
		s.log.Warn("supervisor", "err", err)
	}
}
