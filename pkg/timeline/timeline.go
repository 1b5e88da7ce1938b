// Package timeline records what happened when during a boot, and shows it.
//
// PID 1, the onboot sequence and the supervisor each append to one file in
// /run, a line of JSON for each beginning and each end. Times are those of
// CLOCK_BOOTTIME, which counts from power-on and does not jump when the clock
// is set. `service analyze` and its siblings read the file afterwards.
package timeline

import (
	"strings"
	"time"
)

// The phases of a machine's life.
const (
	PhaseKernel   = "kernel"
	PhaseInit     = "pid1"
	PhaseOnboot   = "onboot"
	PhaseServices = "services"
	PhaseShutdown = "shutdown"
)

// The steps of a container's start, as the picture tells them apart. Any other
// name is a step as well, without a colour of its own.
const (
	StepPrepare = "prepare"
	StepCreate  = "create"
	StepWire    = "wire"
	StepStart   = "start"
	StepRun     = "run"
	StepReady   = "ready" // from start until the readiness probe succeeds
)

// Attr is something known of an event or a span.
type Attr func(*line)

// Phase says which phase it belongs to.
func Phase(p string) Attr { return func(l *line) { l.Phase = p } }

// Container says whose step it is.
func Container(name string) Attr { return func(l *line) { l.Container = name } }

// After lists what it waited for: containers, as slipway.after and
// slipway.requires name them.
func After(names ...string) Attr { return func(l *line) { l.After = append(l.After, names...) } }

// line is one line of the file.
type line struct {
	ID        string   `json:"id,omitempty"` // joins beginning and end; empty for an event
	At        int64    `json:"at"`           // microseconds since power-on
	End       bool     `json:"end,omitempty"`
	Name      string   `json:"name,omitempty"`
	Phase     string   `json:"phase,omitempty"`
	Container string   `json:"container,omitempty"`
	After     []string `json:"after,omitempty"`
	Err       string   `json:"err,omitempty"`
}

// Span is something that took time, or an event, whose End is its Begin.
type Span struct {
	Name      string        `json:"name"`
	Phase     string        `json:"phase"`
	Container string        `json:"container,omitempty"`
	After     []string      `json:"after,omitempty"`
	Begin     time.Duration `json:"begin"` // since power-on
	End       time.Duration `json:"end"`   // of what is not over: the last time in the file
	Open      bool          `json:"open,omitempty"`
	Event     bool          `json:"event,omitempty"`
	Err       string        `json:"err,omitempty"`
}

// Took is the span's duration.
func (s Span) Took() time.Duration { return s.End - s.Begin }

// Label names the span for a reader.
func (s Span) Label() string {
	return strings.TrimSpace(s.Container + " " + s.Name)
}

// maxFile bounds the file. The beginning of a boot is what is asked for, so
// what comes after the bound is left out, not what came first.
const maxFile = 512 << 10
