package state

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// settle moves every service as far as it can go now: those that are not wanted
// go down, once what comes after them is down; then waiting ones start, in the
// order of the graph and as many at a time as there are slots. Down comes first,
// lest something starts beside what it requires going down.
func (s *Set) settle() {
	for changed := true; changed; {
		before := len(s.changes) + len(s.actions)
		for _, svc := range slices.Backward(s.order) {
			s.lower(svc)
		}
		for _, svc := range s.order {
			s.raise(svc)
		}
		changed = len(s.changes)+len(s.actions) != before
	}
}

// raise starts a service that waits and need not wait any longer.
func (s *Set) raise(svc *service) {
	if !svc.Wanted || s.ending {
		return
	}
	if svc.State == Stopped {
		s.move(svc, Waiting, "")
	}
	if svc.State != Waiting {
		return
	}
	if svc.fault != "" {
		s.giveUp(svc, Failed, svc.fault)
		return
	}
	for _, d := range svc.needs {
		if d.State == Failed || d.State == Stopped && !d.Wanted {
			s.giveUp(svc, Failed, chain(d))
			return
		}
	}
	if !s.blocked(svc) {
		s.launch(svc)
	}
}

// blocked tells whether a service has to wait, and puts into words for what when
// that has changed: with many services the words cost more than all the rest.
func (s *Set) blocked(svc *service) bool {
	mark := 0 // of who is in the way, and the transition that brought it there
	for i, d := range svc.before {
		if !s.there(svc, d) {
			mark = mark*1000003 + i + 2 + d.Seq<<16
		}
	}
	if mark == 0 && s.starting >= s.slots {
		mark = 1
	}
	if svc.blockMark != mark || svc.Blocked == "" != (mark == 0) {
		svc.blockMark, svc.Blocked = mark, s.blockedOn(svc)
		s.touch(svc)
	}
	return mark != 0
}

// there tells whether one that comes after d may go on.
func (s *Set) there(svc, d *service) bool {
	if svc.requires(d) {
		return d.State == Ready || d.State == Exited
	}
	return s.settled(d)
}

func (s *Set) launch(svc *service) {
	svc.Run++
	svc.Outcome, svc.Killed = "", false
	svc.ReadyAt, svc.StartedAt = time.Time{}, time.Time{}
	s.move(svc, Starting, "")
	s.do(Action{Do: DoStart, Name: svc.Name, Run: svc.Run})
}

// chain words why what requires d cannot be: the causes down to the first.
func chain(d *service) string {
	if d.Cause == "" {
		return fmt.Sprintf("requires %s, which is %s", d.Name, d.State)
	}
	return fmt.Sprintf("requires %s, which is %s: %s", d.Name, d.State, d.Cause)
}

// blockedOn says what a waiting service waits for, or "".
func (s *Set) blockedOn(svc *service) string {
	var on []string
	for _, d := range svc.before {
		if !s.there(svc, d) {
			on = append(on, d.Name+", which is "+how(d))
		}
	}
	if len(on) > 0 {
		return strings.Join(on, "; ")
	}
	if s.starting >= s.slots {
		return "other starts"
	}
	return ""
}

// how is d's state in the eyes of one that waits for it.
func how(d *service) string {
	switch d.State {
	case Running:
		return "running, not ready"
	case Backoff:
		return "backoff: " + d.Cause
	}
	return string(d.State)
}

// settled tells whether what comes after d, without requiring it, may go on: d
// is ready, down for good, or was tried once and failed.
func (s *Set) settled(d *service) bool {
	return d.State == Ready || d.State.Final() && !d.Wanted || d.First
}

// lower takes down what is not wanted, or wanted anew.
func (s *Set) lower(svc *service) {
	if svc.Wanted && !svc.Again {
		return
	}
	if svc.Again {
		if svc.State == Running || svc.State == Ready {
			s.signal(svc, "restart was asked for")
		}
		return
	}
	switch svc.State {
	case Waiting, Backoff, Stopped:
		// Stopped is also one that has fallen before it came to wait.
		switch {
		case svc.Fallen != "" && !s.ending:
			s.giveUp(svc, Failed, svc.Fallen)
		case svc.State != Stopped:
			s.move(svc, Stopped, "stop was asked for")
		}
	case Running, Ready:
		if !s.inTheWay(svc) {
			s.signal(svc, s.whyStop(svc))
		}
	case Starting:
		if !svc.Killed {
			svc.Killed = true
			s.do(Action{Do: DoCancel, Name: svc.Name, Run: svc.Run})
		}
	}
}

func (s *Set) whyStop(svc *service) string {
	switch {
	case s.ending:
		return "shutdown"
	case svc.Fallen != "":
		return svc.Fallen
	}
	return "stop was asked for"
}

// inTheWay tells whether something that comes after svc is on its way down but
// not down yet.
func (s *Set) inTheWay(svc *service) bool {
	return slices.ContainsFunc(svc.behind, func(user *service) bool { return !user.Wanted && user.State.Busy() })
}
