package qemu

import (
	"strings"
	"time"

	"slipway/pkg/port"
)

// How long a machine is silent after a text that says it is dead, before it is
// asked and before it counts as such.
const (
	askAfter    = 3 * time.Second
	deadUnknown = 5 * time.Second  // nobody is there who could answer
	deadMute    = 10 * time.Second // the guest was asked, and does not answer
	deadGoing   = 30 * time.Second // those who answer have ended already
)

const (
	panicText = "Kernel panic - not syncing"
	panicEnd  = "---[ end Kernel panic"
	oomText   = "Out of memory: Killed process"
	haltText  = "reboot: System halted"
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

// suspicion is a text on the console that a kernel would write with its last
// breath. Any container can write it as well, so the machine has to behave
// accordingly:
//
//   - QEMU tells of the panic, because the kernel drives its pvpanic device;
//   - or the machine resets without having said that it would;
//   - or it is as silent as a dead one. One with Slipway's programs is asked once
//     it has been silent for a moment, and its answer clears it: not before, as
//     other processors run on while one prints its panic. Where the kernel has pvpanic, silence is
//     no sign of a panic at all.
type suspicion struct {
	ending Ending
	cause  string
	since  time.Time
	ping   int // the question that an answer has to be to; 0: none yet
}

// suspicious takes a line of the console into account.
func (j *judge) suspicious(s string, now time.Time) {
	switch {
	case strings.Contains(s, panicEnd):
		if j.panicked {
			j.endBy(now.Add(afterPanic / 10))
		}
	case strings.Contains(s, panicText):
		j.panicLine(s, now)
	case strings.Contains(s, haltText):
		if j.guest.end == "halt" {
			j.end(Halted, "")
			j.endBy(now)
			return
		}
		j.suspectEnd(Halted, "", now)
	case j.guest.spoke:
		// From here on a container may have written it.
	case strings.Contains(s, oomText) && j.oom == "":
		j.oom = message(s, oomText)
	default:
		for _, h := range hints {
			if strings.Contains(s, h) {
				j.hint = message(s, h)
			}
		}
	}
}

func (j *judge) panicLine(s string, now time.Time) {
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
	if j.panicked && j.suspect == nil && j.res.Ending == Panicked {
		j.res.Ending, j.res.Cause = ending, cause // QEMU was quicker than the console
		j.endBy(now.Add(afterPanic))
	}
	j.suspectEnd(ending, cause, now)
}

// suspectEnd keeps the last suspicion, as the text of a dead machine is its last.
func (j *judge) suspectEnd(e Ending, cause string, now time.Time) {
	j.suspect = &suspicion{ending: e, cause: cause, since: now}
}

// ask has the guest show that it lives, if anybody is there to do so.
func (j *judge) ask() {
	j.pings++
	j.suspect.ping = j.pings
	j.tell(port.Message{Ping: j.pings})
}

// answered clears what was suspected before the question.
func (j *judge) answered(ping int) {
	if j.suspect != nil && j.suspect.ping == ping {
		j.suspect = nil
	}
}

// confirm makes a suspicion an ending once the machine has been silent for long
// enough.
func (j *judge) confirm(now time.Time) {
	s := j.suspect
	if s == nil || j.res.Ending != "" {
		return
	}
	silent := min(now.Sub(s.since), now.Sub(j.output))
	if j.guest.spoke && s.ping == 0 && silent >= askAfter {
		j.ask()
	}
	limit := deadUnknown
	switch {
	case j.guest.pvpanic && s.ending != Halted:
		return
	case j.guest.end != "":
		limit = deadGoing
	case j.guest.spoke:
		limit = deadMute
	}
	if silent >= limit {
		j.end(s.ending, s.cause)
		j.endBy(now)
	}
}

// event takes QEMU's word.
func (j *judge) event(e Event, now time.Time) {
	switch e.Name {
	case "GUEST_PANICKED":
		j.panicked = true
		ending, cause, wait := Panicked, "reported by pvpanic", untilText
		if s := j.suspect; s != nil && s.ending != Halted {
			ending, cause, wait = s.ending, s.cause, afterPanic
		}
		if j.end(ending, cause) {
			j.endBy(now.Add(wait))
		}
	case "WATCHDOG":
		j.end(Hung, "the watchdog fired")
	case "RESET":
		if e.Data.Reason == "guest-reset" && j.restarted() {
			j.endBy(now)
		}
	case "SHUTDOWN":
		if j.shutdown = e.Data.Reason; j.shutdown == "guest-reset" {
			j.restarted()
		}
	}
}

// restarted judges a reset: a kernel that was told to reboot after a panic does
// so without a word. After it another kernel has the console to itself.
func (j *judge) restarted() (panicked bool) {
	s := j.suspect
	panicked = s != nil && s.ending != Halted && j.guest.end == "" && !j.reset && j.end(s.ending, s.cause)
	j.suspect, j.guest, j.oom, j.hint = nil, guest{timelined: j.guest.timelined}, "", ""
	return panicked
}
