package qemu

import (
	"fmt"
	"strings"
	"time"

	"slipway/pkg/port"
)

// Ending is how a run ended.
type Ending string

// The endings.
const (
	PoweredOff  Ending = "the guest powered off"
	Rebooted    Ending = "the guest rebooted"
	Halted      Ending = "the guest halted"
	Panicked    Ending = "kernel panic"
	OutOfMemory Ending = "out of memory"
	TimedOut    Ending = "timeout"
	Hung        Ending = "hang"
	Died        Ending = "QEMU died"
	FailMatched Ending = "failure on the console"
	Stopped     Ending = "stopped from outside"
	Mute        Ending = "the guest does not speak on its port"
)

// The exit statuses of `slipway run`.
const (
	StatusOK          = 0
	StatusFailed      = 1
	StatusMisused     = 2
	StatusPanic       = 3
	StatusOutOfMemory = 4
	StatusHang        = 5
	StatusDied        = 6
	StatusFailOn      = 7
	StatusUnexpected  = 8
)

// Result is how a run ended and what shows why.
type Result struct {
	Ending Ending
	// Cause is the line or the fact that made the ending; empty when the
	// ending says it all.
	Cause string
	// Killed: the machine did not end by itself.
	Killed bool
	// Missing lists the patterns of Watch.Expect and ExpectFrom that no line
	// matched.
	Missing []string
	// Seen lists the others, each with the first line that it matched.
	Seen []Match
	// Report is the guest's report, "ok" or "failed: ..."; empty: none came.
	// Containers are what it is about.
	// Faults are what it calls failed.
	Report     string
	Faults     []string
	Containers []port.Container
	wantReport bool
	spoke      bool // the guest was heard on its port
	// Output is what came of the guest's files; nil: nobody asked for them.
	Output *Handed
	// Tail is the last console lines.
	Tail []string
	// Warnings is what went wrong on the host without ending the run.
	Warnings []string
	Elapsed  time.Duration
	// Processor is what QEMU took of the host's processors, as wait4(2) has it.
	Processor time.Duration
}

// Match is a pattern with the line that it has matched, at most matchBytes of it.
type Match struct {
	Pattern string `json:"pattern"`
	Line    string `json:"line"`
}

const matchBytes = 200

func (m Match) String() string { return fmt.Sprintf("%s (%q)", m.Pattern, m.Line) }

// noPort is what a report takes. A console would only say what some container
// wants it to.
const noPort = "it comes over a virtio serial port, which takes Slipway's init or service image in the guest, and its kernel's virtio_console driver"

// Status is the exit status that tells this ending from the others.
func (r Result) Status() int {
	switch r.Ending {
	case Panicked:
		return StatusPanic
	case OutOfMemory:
		return StatusOutOfMemory
	case TimedOut, Hung:
		return StatusHang
	case Died:
		return StatusDied
	case FailMatched:
		return StatusFailOn
	}
	switch {
	case len(r.Missing) > 0:
		return StatusUnexpected
	case r.wantReport && r.Report != "ok", r.Ending == Stopped && r.Killed, r.Ending == Mute, r.Output != nil && r.Output.Fault != "":
		return StatusFailed
	}
	return StatusOK
}

// String is one line for the user.
func (r Result) String() string {
	s := string(r.Ending)
	if r.Cause != "" {
		s += ": " + r.Cause
	}
	switch {
	case r.Report != "":
		s += "; report: " + r.Report
	case r.wantReport && !r.spoke:
		s += "; no report came: " + noPort
	case r.wantReport:
		s += "; no report came"
	}
	for i, m := range r.Seen {
		s += []string{"; seen: ", ", "}[min(i, 1)] + m.String()
	}
	if len(r.Missing) > 0 {
		s += "; expected and not seen: " + strings.Join(r.Missing, ", ")
	}
	if r.Output != nil {
		s += "; output: " + r.Output.String()
	}
	return fmt.Sprintf("%s (after %.1fs)", s, r.Elapsed.Seconds())
}
