package qemu

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	"slipway/pkg/port"
)

// How long a guest gets, and for what.
const (
	afterPanic   = 2 * time.Second  // to print the rest of a panic
	untilText    = 10 * time.Second // to begin to print it, once QEMU has told of it
	afterFail    = time.Second      // to print what follows a failure
	afterTimeout = 10 * time.Second // to tell how its containers are
	handOutTime  = 2 * time.Minute  // to hand its files out, from the first of them on
	afterReport  = 10 * time.Second // to print what is expected, once its report says that all is well
	pressAgain   = time.Second      // from one push of the power button to the next
	untilReset   = 5 * time.Second  // from the power button to Ctrl-Alt-Del, in silence
	untilKilled  = 30 * time.Second // from the power button to the end by force, unless Watch.Off says more
	untilMute    = 5 * time.Minute  // from power-on to the first word on the port
	tailLines    = 40
)

// judge decides how a run ends from what the machine shows. It is fed with
// console lines, messages on the port, QEMU's events and the time, does nothing
// itself, and says what is to be done (act) and said to the guest (say). The
// first ending that is found stays.
//
// A line of the console is nobody's word: any container may have written it.
// What a kernel would say there is a suspicion (suspicion.go), which takes more
// to become an ending.
type judge struct {
	watch    Watch
	timeline bool // the guest's timeline is wanted
	start    time.Time
	output   time.Time // last console output
	missing  []*regexp.Regexp
	lacking  []Source // of watch.ExpectFrom
	res      Result
	guest    guest
	suspect  *suspicion
	pings    int          // questions to the guest so far
	panicked bool         // QEMU told of a panic
	oom      string       // a process was killed when memory ran out
	hint     string       // an earlier line that explains a later panic
	asked    time.Time    // when the guest was asked to power off
	pressed  time.Time    // the last push of the power button
	reset    bool         // Ctrl-Alt-Del was typed
	quitAt   time.Time    // when the machine is ended by force
	pulled   bool         // and that at once, as somebody wants it
	held     bool         // the guest is told not to power off at a report that says that all is well
	handsOut time.Time    // when the first of its files came
	linesBy  time.Time    // when lines that such a report came before are not waited for any longer
	shutdown string       // QEMU's reason for its own end
	window   *port.Window // in which the console is looked at; nil: nobody knows
	say      []port.Message
}

// guest is what the guest has told of itself on the port, in this boot.
type guest struct {
	spoke     bool // its programs are there; until then only the kernel writes on the console
	pvpanic   bool
	end       string // what it is going down for
	timelined bool   // its timeline came
	handed    bool   // it has handed its files out
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
	j := &judge{watch: w, start: now, output: now,
		missing: slices.Clone(w.Expect), lacking: slices.Clone(w.ExpectFrom)}
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

// pull ends the machine now, whatever it is at.
func (j *judge) pull(now time.Time) {
	j.pulled = true
	j.endBy(now)
}

// askOff asks the guest to power off; asked again it is not waited for.
func (j *judge) askOff(now time.Time) {
	if !j.asked.IsZero() {
		j.pull(now)
		return
	}
	j.asked = now
	j.request()
	// Behind a report that all is well it goes down within its own bounds, as without a line to wait for.
	if j.linesBy.IsZero() {
		j.endBy(now.Add(j.off()))
	}
}

// off is how long the guest gets to power off.
func (j *judge) off() time.Duration { return cmp.Or(j.watch.Off, untilKilled) }

// request tells the guest all that is wanted of it. It gets that with each hello,
// too, so nothing is said before the first.
func (j *judge) request() {
	if !j.guest.spoke {
		return
	}
	w := port.Request{Report: j.watch.Report, Timeline: j.timeline, Poweroff: !j.asked.IsZero(), Now: j.late() || j.res.Ending == FailMatched && j.watch.Output.Dir != "", Window: j.window}
	if j.watch.Output.Dir != "" {
		w.Output = j.watch.Output.Most
	}
	// A service may be ready before it prints what is expected.
	w.Hold = w.Report && len(j.missing)+len(j.lacking) > 0
	j.held = j.held || w.Hold
	for _, from := range [][]Source{j.watch.ExpectFrom, j.watch.FailOnFrom} {
		for _, s := range from {
			w.Lines = append(w.Lines, s.From)
		}
	}
	if w.Report || w.Timeline || w.Poweroff || w.Now || w.Output > 0 || w.Window != nil || w.Lines != nil {
		j.tell(port.Message{Request: &w})
	}
}

// tell has the guest hear a message. One of its kind that it has not taken yet is out of date.
func (j *judge) tell(m port.Message) {
	j.say = append(slices.DeleteFunc(slices.Clone(j.say), func(old port.Message) bool { return (old.Request != nil) == (m.Request != nil) }), m)
}

// late tells whether the guest has used up its time.
func (j *judge) late() bool { return j.res.Ending == TimedOut || j.res.Ending == Hung }

// giveUp ends a run that takes too long, or says nothing any more. A guest that
// can tell where it stands gets the time to do so.
func (j *judge) giveUp(e Ending, cause string, now time.Time) {
	if !j.end(e, cause) {
		return
	}
	if !j.guest.spoke || j.guest.end != "" && !j.owed() {
		j.endBy(now)
		return
	}
	if j.guest.end == "" {
		j.request()
	}
	j.endBy(now.Add(afterTimeout))
}

// owed tells whether files are to come from the guest, which it may be about to hand out.
func (j *judge) owed() bool {
	return j.watch.Output.Dir != "" && j.guest.spoke && !j.guest.handed
}

// clock says what is due. It is asked after every line, message, event and tick.
func (j *judge) clock(now time.Time) action {
	j.confirm(now)
	if t := j.watch.Timeout; t > 0 && now.Sub(j.start) >= t {
		j.giveUp(TimedOut, "still running after "+t.String(), now)
	}
	if t := j.watch.Idle; t > 0 && now.Sub(j.output) >= t {
		j.giveUp(Hung, "no console output for "+t.String(), now)
	}
	if j.wantsPort() && !j.guest.spoke && j.watch.Timeout == 0 && now.Sub(j.start) >= untilMute &&
		j.end(Mute, "it has said nothing for "+untilMute.String()) {
		j.endBy(now)
	}
	if !j.linesBy.IsZero() && !now.Before(j.linesBy) && j.asked.IsZero() && j.guest.end == "" {
		j.askOff(now)
	}
	switch {
	case j.res.Killed:
		return nothing
	case !j.quitAt.IsZero() && !now.Before(j.quitAt):
		j.res.Killed = true
		return quit
	case j.asked.IsZero() || j.guest.end != "":
		return nothing
	case !j.reset && now.Sub(j.asked) >= untilReset && now.Sub(j.output) >= untilReset:
		j.reset = true
		return pressReset
	case now.Sub(j.pressed) >= pressAgain:
		// A press before the guest has a driver for the button is lost.
		j.pressed = now
		return pressPower
	}
	return nothing
}

// wantsPort tells whether the run is about what comes on the port.
func (j *judge) wantsPort() bool {
	return j.watch.Report || len(j.watch.ExpectFrom) > 0 || len(j.watch.FailOnFrom) > 0
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
	for _, s := range j.lacking {
		j.res.Missing = append(j.res.Missing, s.String())
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
