package state

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// Exit is how one run of a service ended.
type Exit struct {
	Run    int       `json:"run"`
	Time   time.Time `json:"time"`
	Code   int       `json:"code"`             // exit status
	Signal string    `json:"signal,omitempty"` // what killed it
	Core   bool      `json:"core,omitempty"`
	OOM    bool      `json:"oom,omitempty"`
	Cause  string    `json:"cause"` // in words
}

// exitsKept bounds the history in a service's record.
const exitsKept = 10

// Record is what is known of a service: all of it is kept on the machine, so
// that a new supervisor goes on where a killed one was.
type Record struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Since time.Time `json:"since"`
	Cause string    `json:"cause,omitempty"`
	// Wanted: somebody wants it up. A service that is up and not wanted is
	// stopped as soon as nothing that comes after it is in the way.
	Wanted bool `json:"wanted"`
	// Again: it is being taken down to be started again.
	Again bool `json:"again,omitempty"`
	// Run counts starts; Exits counts ends of a program that had started.
	Run   int        `json:"run"`
	Exits int        `json:"exits"`
	Proc  reap.Ident `json:"proc"`
	// First: its first start is over, well or not.
	First     bool          `json:"first"`
	Restarts  int           `json:"restarts"`
	Recent    []time.Time   `json:"recent,omitempty"` // restarts within the limit's window
	Delay     time.Duration `json:"delay_ns,omitempty"`
	Resume    time.Time     `json:"resume,omitzero"` // Backoff: when it ends
	StartedAt time.Time     `json:"started,omitzero"`
	ReadyAt   time.Time     `json:"ready,omitzero"`
	LastExit  *Exit         `json:"last_exit,omitempty"`
	History   []Exit        `json:"history,omitempty"` // the last ones, newest last
	// Trouble is why the last run failed, until one is ready again.
	Trouble string `json:"trouble,omitempty"`
	// Seq numbers the last transition. Batch is those that were made together
	// with it: a supervisor that is killed between keeping this record and
	// noting them leaves that to the next.
	Seq   int          `json:"seq"`
	Batch []Transition `json:"batch,omitempty"`
	// Kept is when this was written, for whoever reads it.
	Kept Clock `json:"kept,omitzero"`
	// Outcome is how the run that is being cleaned up counts.
	Outcome Outcome `json:"outcome,omitempty"`
	// Blocked says, for one that waits, on what.
	Blocked string `json:"blocked,omitempty"`
	// Hangs says, for one that is starting, in what its start hangs in the kernel.
	// It takes no place among the starts under way then.
	Hangs string `json:"hangs,omitempty"`
	// Fallen says why one that is being taken down counts as failed: what it
	// requires has.
	Fallen string `json:"fallen,omitempty"`
	// Killed: its stop timeout is over, or its start was called off.
	Killed bool `json:"killed,omitempty"`
}

// Outcome is how a run counts for the restart policy.
type Outcome string

// The outcomes of a run.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)

type service struct {
	Record
	policy bundle.Policy
	broken string // its bundle cannot be read
	fault  string // it cannot be started at all, for that or for its place in the graph
	// restored: an earlier supervisor has dealt with it, so that it may be
	// down because somebody wants it so.
	restored bool
	// blockMark stands for the words in Blocked.
	blockMark int

	// before, needs and behind are the graph's: each event looks at every service, and to
	// look these up by name would be most of what it costs with a thousand of them.
	before, needs, behind []*service
	place                 int  // in the graph's order
	dirty                 bool // the record changed in answer to this event
	moved                 bool // it made a transition in answer to this event, and so is dirty
}

func (s *service) requires(d *service) bool { return slices.Contains(s.needs, d) }

// healthy is how long a service has to be ready for its failures to be forgotten.
const healthy = time.Minute

// nextDelay returns the pause before the next restart and doubles the one after.
// Jitter, from 0 to 1, takes up to a quarter off, so that services which fell
// together do not come back together.
func (s *service) nextDelay(jitter float64) time.Duration {
	d := max(s.Delay, s.policy.RestartDelay)
	s.Delay = min(2*d, s.policy.RestartMaxDelay)
	return d - time.Duration(float64(d)/4*jitter)
}

// forgive forgets past failures if the run that ends now was long enough.
func (s *service) forgive(now time.Time) {
	if !s.ReadyAt.IsZero() && now.Sub(s.ReadyAt) >= healthy {
		s.Delay = 0
	}
}

// overLimit counts a restart and says whether it is one too many.
func (s *service) overLimit(now time.Time) bool {
	limit := s.policy.RestartLimit
	if limit.Count == 0 {
		return false
	}
	s.Recent = slices.DeleteFunc(s.Recent, func(t time.Time) bool { return now.Sub(t) >= limit.Window })
	if len(s.Recent) >= limit.Count {
		return true
	}
	s.Recent = append(s.Recent, now)
	return false
}

// noteExit enters how the program ended.
func (s *service) noteExit(now time.Time, e Event) {
	exit := Exit{Run: s.Run, Time: now, Code: e.Status.Code, Core: e.Status.Core, OOM: e.OOM, Cause: describe(e)}
	if e.Status.Signal != 0 {
		exit.Signal = unix.SignalName(e.Status.Signal)
	}
	s.Exits++
	s.LastExit = &exit
	s.History = append(s.History, exit)
	if n := len(s.History); n > exitsKept {
		s.History = append(s.History[:0], s.History[n-exitsKept:]...)
	}
}

func describe(e Event) string {
	switch {
	case e.Cause != "":
		return e.Cause
	case e.OOM:
		return e.Status.WithOOM()
	}
	return e.Status.String()
}

// restarts tells whether the policy wants another run after this outcome.
func (s *service) restarts() bool {
	switch s.policy.Restart {
	case bundle.RestartAlways:
		return true
	case bundle.RestartNo:
		return false
	}
	return s.Outcome == Failure
}
