package qemu

import (
	"strings"
	"time"
)

const (
	panicText  = "Kernel panic - not syncing"
	panicEnd   = "---[ end Kernel panic"
	oomText    = "Out of memory: Killed process"
	haltText   = "reboot: System halted"
	reportText = "slipway: report: "
)

// hints are lines that are no failure by themselves, but explain a panic.
var hints = []string{
	"Initramfs unpacking failed",
	"Failed to execute /init",
	"Run /init as init process failed",
	"Attempted to kill init",
}

// oomPanics are the panics that are about memory.
var oomPanics = []string{"Out of memory", "deadlocked on memory", "panic_on_oom"}

// line takes a line of the console into account.
func (j *judge) line(s string, now time.Time) {
	j.remember(s)
	switch {
	case strings.Contains(s, panicEnd):
		j.endBy(now.Add(afterPanic / 10))
	case strings.Contains(s, panicText):
		j.panicked(s, now)
	case strings.Contains(s, oomText) && j.oom == "":
		j.oom = message(s, oomText)
	case strings.Contains(s, haltText):
		j.end(Halted, "")
		j.endBy(now)
	}
	for _, h := range hints {
		if strings.Contains(s, h) {
			j.hint = message(s, h)
		}
	}
	if _, report, ok := strings.Cut(s, reportText); ok && j.watch.Report && j.res.Report == "" {
		j.res.Report = strings.TrimSpace(report)
	}
	j.match(s, now)
}

func (j *judge) remember(s string) {
	if s == "" {
		return
	}
	j.res.Tail = append(j.res.Tail, s)
	if extra := len(j.res.Tail) - tailLines; extra > 0 {
		j.res.Tail = append(j.res.Tail[:0], j.res.Tail[extra:]...)
	}
}

func (j *judge) match(s string, now time.Time) {
	for _, re := range j.watch.FailOn {
		if re.MatchString(s) && j.end(FailMatched, strings.TrimSpace(s)) {
			j.endBy(now.Add(afterFail))
		}
	}
	if len(j.missing) == 0 {
		return
	}
	kept := j.missing[:0]
	for _, re := range j.missing {
		if !re.MatchString(s) {
			kept = append(kept, re)
		}
	}
	j.missing = kept
	// With a report the guest powers off by itself.
	if len(j.missing) == 0 && !j.watch.Report {
		j.askOff(now)
	}
}

func (j *judge) panicked(s string, now time.Time) {
	cause, ending := message(s, panicText), Panicked
	for _, t := range oomPanics {
		if strings.Contains(cause, t) {
			ending = OutOfMemory
		}
	}
	// A PID 1 that has lost a thread or a helper to the OOM killer dies of it.
	if j.oom != "" {
		ending, cause = OutOfMemory, j.oom+"; then "+cause
	}
	if j.hint != "" {
		cause += " (" + j.hint + ")"
	}
	j.end(ending, cause)
	j.endBy(now.Add(afterPanic))
}

func (j *judge) event(e Event, now time.Time) {
	switch e.Name {
	case "GUEST_PANICKED":
		if j.end(Panicked, "reported by pvpanic") {
			j.endBy(now.Add(afterPanic))
		}
	case "WATCHDOG":
		j.end(Hung, "the watchdog fired")
	case "SHUTDOWN":
		j.shutdown = e.Data.Reason
	}
}

// message is a console line from the word that matters on, without the
// kernel's time stamp.
func message(s, from string) string {
	if i := strings.Index(s, from); i > 0 {
		s = s[i:]
	}
	return strings.TrimSpace(s)
}
