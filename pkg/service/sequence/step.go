package sequence

import (
	"errors"
	"fmt"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
	"slipway/pkg/timeline"
)

// Step is what is known of one container; the list of a section's is kept in
// /run/slipway for `service list` and the report.
type Step struct {
	Name   string        `json:"name"`
	State  string        `json:"state"`
	Begin  time.Duration `json:"begin_ns,omitempty"` // since power-on
	Took   time.Duration `json:"took_ns,omitempty"`
	Status *reap.Status  `json:"status,omitempty"`
	OOM    bool          `json:"oom,omitempty"` // the kernel killed something of it, being out of memory
	Cause  string        `json:"cause,omitempty"`
}

// The states of a step.
const (
	Pending = "pending"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

func (s *Step) finish(err error) {
	s.Took = timeline.Now() - s.Begin
	s.State = Done
	if err == nil {
		return
	}
	s.State = Failed
	switch {
	case s.OOM && errors.Is(err, errFailed): // which says it already
	case errors.Is(err, errFailed) && s.Status != nil:
		s.Cause = s.Status.String()
	default:
		s.Cause = err.Error()
	}
}

// String words how the step ended.
func (s *Step) String() string {
	took := fmt.Sprintf("after %.2fs", s.Took.Seconds())
	switch {
	case s.OOM:
		return s.Cause + " " + took
	case s.State == Failed && s.Status != nil && s.Status.Success():
		return "failed: " + s.Cause // not its program's fault
	case s.Status != nil && s.Status.Signal == 0:
		return fmt.Sprintf("exited with status %d %s", s.Status.Code, took)
	case s.Status != nil:
		return fmt.Sprintf("%s %s", s.Status, took)
	case s.State == Failed:
		return "failed: " + s.Cause
	}
	return s.State
}

// Trouble is why a step is not done, or "". One that is pending waits for another.
func (s *Step) Trouble() string {
	switch s.State {
	case Failed:
		return s.Cause
	case Running:
		return fmt.Sprintf("still running after %s", (timeline.Now() - s.Begin).Round(time.Second))
	}
	return ""
}

func listPath(p guest.Paths, s bundle.Section) string { return p.RunDir(string(s) + ".json") }

// save keeps the list. It is best effort: a full /run must not stop the boot.
func (q *Sequence) save() {
	if err := machine.WriteJSON(listPath(q.Guest.Paths, q.Section), q.steps); err != nil {
		q.Guest.Say("%s: %s", q.Section, err)
	}
}

// Load reads the list that a sequence has kept; nil if it has not run.
func Load(p guest.Paths, s bundle.Section) ([]Step, error) {
	var steps []Step
	return steps, machine.ReadJSON(listPath(p, s), &steps)
}
