package supervisor

import (
	"os"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/service/control"
)

// hearHost listens to the host of a virtual machine, if it has one.
func (s *Supervisor) hearHost() {
	s.Guest.Listen(port.Services, func(w port.Request) { s.post(func() { s.fulfil(w) }) })
}

// fulfil carries out what the host asks for. It says all of it each time.
func (s *Supervisor) fulfil(w port.Request) {
	s.follow(w.Lines)
	if w.Poweroff && !s.stopping {
		s.check("host", "power off", s.End(bundle.Poweroff))
	}
	if w.Now {
		s.reportNow()
	}
	s.grant()
}

// reportNow shows how all are, though some have not settled yet.
func (s *Supervisor) reportNow() {
	list, faults := s.List(), append(s.scripts().Faults(), s.faults()...)
	s.Guest.Print(control.Table(list, 0))
	if len(faults) > 0 {
		s.Guest.Answer("so far: %s", strings.Join(faults, "; "))
	}
	s.tellHost(func() {
		s.Guest.AwaitConsoles()
		s.tellReport(list, faults, false)
	}, func() { go s.Guest.TellOutput() })
}

// wantsTimeline tells whether the host wants the timeline and has got none yet of a boot that is over.
func (s *Supervisor) wantsTimeline() bool {
	return s.Guest.Requested().Timeline && !s.tells.timeline && !s.tells.timelined
}

func (s *Supervisor) tellTimeline() {
	if s.wantsTimeline() && !s.tells.over {
		s.tellHost(func() {}, func() {})
	}
}

// tells is what is under way to the host outside of the loop, which is kept by the loop.
type tells struct {
	under     int
	timeline  bool // one of them has the timeline
	timelined bool // the host has got it
	again     bool // it was tried once more, as the machine goes down
	over      bool // services are down: who asks from now on is late
}

// tellHost has something told outside of the loop, the timeline before it if that is wanted: a host may take its
// time. Then goes on in the loop.
func (s *Supervisor) tellHost(something, then func()) {
	timeline := s.wantsTimeline()
	s.tells.under++
	s.tells.timeline = s.tells.timeline || timeline
	go func() {
		got := timeline && s.Guest.TellTimeline()
		something()
		s.post(func() {
			s.tells.under--
			if timeline {
				s.tells.timeline, s.tells.timelined = false, got
			}
			if s.stopping && s.wantsTimeline() && !s.tells.again {
				s.tells.again = true
				s.tellHost(func() {}, func() {})
			}
			then()
		})
	}()
}

// awaitTold waits for what is under way. The watchdog is fed meanwhile, and others are answered.
func (s *Supervisor) awaitTold() {
	for s.tells.over = true; s.tells.under > 0; {
		(<-s.inbox)()
	}
}

func (s *Supervisor) tellReport(l control.List, faults []string, final bool) {
	r := Report(l, faults)
	r.Final = final
	s.Guest.Tell(port.Message{Report: r})
}

// Report is what the host gets of a list.
func Report(l control.List, faults []string) *port.Report {
	r := &port.Report{Faults: faults}
	for _, step := range l.Steps {
		r.Containers = append(r.Containers, port.Container{Section: step.Section, Name: step.Name, State: step.State, Cause: oneLine(step.Result)})
	}
	for _, v := range l.Services {
		r.Containers = append(r.Containers, port.Container{Section: string(bundle.Services), Name: v.Name, State: string(v.State), Cause: oneLine(v.Cause)})
	}
	return r
}

// tellEnd tells the host that the machine goes down. Our own PID 1, which leaves
// its verb for us, does so itself.
func (s *Supervisor) tellEnd() {
	if _, err := os.Lstat(s.Guest.Paths.RunDir(machine.VerbFile)); s.Guest.Port != nil && err != nil {
		s.Guest.Tell(port.Message{End: &port.End{Verb: port.Shutdown, OOM: port.OOM()}})
	}
}
