package supervisor

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/sequence"
	"slipway/pkg/service/state"
)

// checkOver notices that the first start of all services is over: whoever
// waits for it goes on, and a report is made if one was asked for.
func (s *Supervisor) checkOver() {
	if !s.taken || s.over || s.stopping || !s.set.Over() {
		return
	}
	s.over = true
	if !s.held {
		s.goOn()
		s.Clock.AfterFunc(countTime, func() { s.post(s.noteFailed) })
	}
	s.settleAfter(settleTime)
}

// These let a service that needs no more than to start show that it did more than
// that, before PID 1 says how the boot went (see package boot), and before the host
// gets what it wants.
const (
	countTime  = 500 * time.Millisecond
	settleTime = time.Second
)

// scriptsTime is the longest pause between two looks at whether PID 1 has run all
// of /etc/init.d.
const scriptsTime = 5 * time.Second

func (s *Supervisor) settleAfter(pause time.Duration) {
	s.Clock.AfterFunc(pause, func() { s.post(func() { s.settle(pause) }) })
}

// gcPercent is Go's GOGC once the machine has started: a small heap is worth more then than
// a fast one. Before, garbage of ten services does not come to what Go would collect by itself.
const gcPercent = 50

// settle waits for the scripts behind the services, whose failures are part of the
// report. In a boot that a policy has stopped there are none.
func (s *Supervisor) settle(pause time.Duration) {
	if note := s.scripts(); !note.Over && !s.held {
		s.settleAfter(min(2*pause, scriptsTime))
		return
	}
	s.settled = true
	debug.SetGCPercent(gcPercent)
	s.grant()
}

func (s *Supervisor) scripts() machine.Scripts {
	note, err := machine.ReadScripts(s.Guest.Paths.RunDir())
	s.report(err)
	return note
}

// noteFailed leaves word that the boot is over, and for PID 1, how many containers
// are not well.
func (s *Supervisor) noteFailed() {
	failed := strconv.Itoa(len(s.faults())) + "\n"
	s.check("boot", "note", machine.WriteFile(s.Guest.Paths.RunDir(machine.Failed), []byte(failed)))
}

// goOn lets the boot go on.
func (s *Supervisor) goOn() {
	s.noteFailed()
	s.Guest.Timeline.Event("services-started")
	if s.Ready != nil {
		s.Ready()
	}
}

// grant gives what is wanted once the first start of all is over and has settled, or never will be.
func (s *Supervisor) grant() {
	if !s.settled {
		if s.stopping {
			s.tellTimeline()
		}
		return
	}
	how := s.Guest.WantsReport()
	if (how == guest.ReportPoweroff || how == guest.ReportPrint) && !s.reporting {
		s.reporting = true
		s.makeReport(how)
		return
	}
	s.tellTimeline()
}

// makeReport shows how all went, once for each boot: slipway.report, or the
// host's request. What else there is to tell comes first, as the report may end the
// machine.
func (s *Supervisor) makeReport(how string) {
	done := s.Guest.Paths.RunDir("reported")
	if _, err := os.Lstat(done); err == nil {
		s.tellTimeline()
		return
	}
	list, faults := s.List(), append(s.scripts().Faults(), s.faults()...)
	s.Guest.Print(control.Table(list, 0))
	if len(faults) > 0 {
		s.Guest.Answer("report: failed: %s", strings.Join(faults, "; "))
	} else {
		s.Guest.Answer("report: ok")
	}
	// A report that a killed supervisor has not brought to its end is made anew.
	s.tellHost(func() {
		s.Guest.AwaitConsoles()
		s.tellReport(list, faults, true)
	}, func() {
		if how == guest.ReportPoweroff && (len(faults) > 0 || !s.Guest.Requested().Hold) {
			s.check("report", "power off", s.End(bundle.Poweroff))
		}
		s.check("report", "note", os.WriteFile(done, nil, 0o600))
	})
}

// faults are onboot steps that failed and services that are not up.
func (s *Supervisor) faults() []string {
	var faults []string
	steps, err := sequence.Load(s.Guest.Paths, bundle.Onboot)
	if err != nil && !os.IsNotExist(err) {
		faults = append(faults, fmt.Sprintf("onboot: %s", err))
	}
	for _, step := range steps {
		if why := step.Trouble(); why != "" {
			faults = append(faults, step.Name+": "+oneLine(why))
		}
	}
	for _, name := range s.set.Names() {
		rec, _ := s.set.Record(name)
		if rec.State != state.Ready && rec.State != state.Exited {
			faults = append(faults, name+": "+oneLine(s.whyNot(rec)))
		}
	}
	return faults
}

func (s *Supervisor) whyNot(rec state.Record) string {
	switch {
	case rec.State == state.Failed:
		return rec.Cause
	case rec.Hangs != "":
		return "its start hangs: " + rec.Hangs
	case rec.Trouble != "":
		return rec.Trouble
	case rec.Cause != "":
		return rec.Cause
	case rec.Blocked != "":
		return "waits for " + rec.Blocked
	case rec.State == state.Running:
		return "not ready yet" + s.probeOf(rec.Name)
	}
	return string(rec.State)
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", ", ") }
