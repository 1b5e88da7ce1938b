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
	go func() {
		s.Guest.AwaitConsoles()
		if s.Guest.Requested().Timeline {
			s.Guest.TellTimeline()
		}
		s.tellReport(list, faults, false)
		s.Guest.TellOutput()
	}()
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
