package qemu

import (
	"regexp"
	"time"
)

// How long a guest gets, and for what.
const (
	afterPanic  = 2 * time.Second  // to print the rest of a panic
	afterFail   = time.Second      // to print what follows a failure
	untilReset  = 5 * time.Second  // from the power button to Ctrl-Alt-Del, in silence
	untilKilled = 30 * time.Second // from the power button to the end by force
	tailLines   = 40
)

// judge decides how a run ends from what the machine shows. It is fed with
// console lines, QEMU's events and the time, does nothing itself, and says what
// is to be done (act). The first ending that is found stays, save that what the
// kernel says outranks what QEMU only sees as a reset.
type judge struct {
	watch    Watch
	start    time.Time
	output   time.Time // last console output
	missing  []*regexp.Regexp
	res      Result
	oom      string // a process was killed for want of memory
	hint     string // an earlier line that explains a later panic
	asked    time.Time
	pressed  bool      // the power button was pushed
	reset    bool      // Ctrl-Alt-Del was typed
	quitAt   time.Time // when the machine is ended by force
	shutdown string    // QEMU's reason for its own end
}

// action is what a judge wants done to the machine.
type action int

const (
	nothing action = iota
	pressPower
	pressReset
	quit
)

func newJudge(w Watch, now time.Time) *judge {
	j := &judge{watch: w, start: now, output: now, missing: append([]*regexp.Regexp(nil), w.Expect...)}
	j.res.wantReport = w.Report
	return j
}

// end keeps the first ending.
func (j *judge) end(e Ending, cause string) bool {
	if j.res.Ending != "" {
		return false
	}
	j.res.Ending, j.res.Cause = e, cause
	return true
}

func (j *judge) endBy(t time.Time) {
	if j.quitAt.IsZero() || t.Before(j.quitAt) {
		j.quitAt = t
	}
}

// askOff asks the guest to power off; asked again it is not waited for.
func (j *judge) askOff(now time.Time) {
	if j.asked.IsZero() {
		j.asked = now
		j.endBy(now.Add(untilKilled))
		return
	}
	j.endBy(now)
}

// clock says what is due. It is asked after every line, event and tick.
func (j *judge) clock(now time.Time) action {
	if t := j.watch.Timeout; t > 0 && now.Sub(j.start) >= t && j.end(TimedOut, "still running after "+t.String()) {
		j.endBy(now)
	}
	if t := j.watch.Idle; t > 0 && now.Sub(j.output) >= t && j.end(Hung, "no console output for "+t.String()) {
		j.endBy(now)
	}
	switch {
	case j.res.Killed:
		return nothing
	case !j.quitAt.IsZero() && !now.Before(j.quitAt):
		j.res.Killed = true
		return quit
	case j.asked.IsZero():
		return nothing
	case !j.pressed:
		j.pressed = true
		return pressPower
	case !j.reset && now.Sub(j.asked) >= untilReset && now.Sub(j.output) >= untilReset:
		j.reset = true
		return pressReset
	}
	return nothing
}

// warn keeps what went wrong beside the guest, such as a log that is not
// written. A machine that cannot be asked is on its way out, so no failure here
// changes the ending.
func (j *judge) warn(err error) {
	if err != nil && len(j.res.Warnings) < tailLines {
		j.res.Warnings = append(j.res.Warnings, err.Error())
	}
}

// finish is the verdict once QEMU is gone. died is what it died of, if QEMU
// failed by itself.
func (j *judge) finish(died string, now time.Time) Result {
	for _, re := range j.missing {
		j.res.Missing = append(j.res.Missing, re.String())
	}
	switch {
	case j.shutdown == "guest-shutdown" && j.oom != "":
		j.end(OutOfMemory, j.oom)
	case j.shutdown == "guest-shutdown":
		j.end(PoweredOff, "")
	case j.shutdown == "guest-reset" && j.reset:
		j.end(PoweredOff, "by Ctrl-Alt-Del")
	case j.shutdown == "guest-reset":
		j.end(Rebooted, "")
	case j.res.Killed:
		j.end(Stopped, "")
	case died == "":
		died = "no cause given"
	}
	j.end(Died, died)
	j.res.Elapsed = now.Sub(j.start)
	return j.res
}
