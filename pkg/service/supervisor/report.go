package supervisor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/service/host"
	"slipway/pkg/service/onboot"
	"slipway/pkg/service/state"
	"slipway/pkg/service/status"
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
	}
	if how := s.Host.Options.Report; how == host.ReportPoweroff || how == host.ReportPrint {
		time.AfterFunc(reportDelay, func() { s.post(func() { s.makeReport(how) }) })
	}
}

// goOn lets the boot go on.
func (s *Supervisor) goOn() {
	s.check("boot", "note", os.WriteFile(s.Host.Paths.Own(bootOver), nil, 0o600))
	s.Host.Timeline.Event("services-started")
	go s.Host.SendTimeline()
	if s.Ready != nil {
		s.Ready()
	}
}

// reportDelay lets a service that needs no more than to start show that it did
// more than that.
const reportDelay = time.Second

// makeReport shows how all went, once for each boot: slipway.report.
func (s *Supervisor) makeReport(how string) {
	done := s.Host.Paths.Own("reported")
	if _, err := os.Lstat(done); err == nil {
		return
	}
	s.check("report", "note", os.WriteFile(done, nil, 0o600))
	s.Host.Print(status.Table(s.List(), 0))
	if faults := s.faults(); len(faults) > 0 {
		s.Host.Say("report: failed: %s", strings.Join(faults, "; "))
	} else {
		s.Host.Say("report: ok")
	}
	if how == host.ReportPoweroff {
		s.check("report", "power off", s.End(bundle.Poweroff))
	}
}

// faults are onboot steps that failed and services that are not up.
func (s *Supervisor) faults() []string {
	var faults []string
	steps, err := onboot.Load(s.Host.Paths, bundle.Onboot)
	if err != nil && !os.IsNotExist(err) {
		faults = append(faults, fmt.Sprintf("onboot: %s", err))
	}
	for _, step := range steps {
		if step.State == onboot.Failed {
			faults = append(faults, step.Name+": "+oneLine(step.Cause))
		}
	}
	for _, name := range s.set.Names() {
		rec, _ := s.set.Record(name)
		if rec.State != state.Ready && rec.State != state.Exited {
			faults = append(faults, name+": "+oneLine(whyNot(rec)))
		}
	}
	return faults
}

func whyNot(rec state.Record) string {
	switch {
	case rec.State == state.Failed:
		return rec.Cause
	case rec.Trouble != "":
		return rec.Trouble
	case rec.Cause != "":
		return rec.Cause
	case rec.Blocked != "":
		return "waits for " + rec.Blocked
	}
	return string(rec.State)
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", ", ") }
