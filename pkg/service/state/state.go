// Package state decides what happens to services: a pure machine that takes
// events, with the time they came at, and answers with actions to carry out.
//
// It neither waits nor calls the system, so that generated sequences of events
// can be run through it by the thousand. Around it is package supervisor, which
// carries out the actions and brings back what became of them as events. The
// services' graph, which it starts and stops them along, is pure as well.
package state

import (
	"slices"
	"time"
)

// State is where a service is in its life.
//
//	        .--------------------------- backoff <---------.
//	        v                                              |
//	stopped -> waiting -> starting -> running -> ready     |
//	                         |           |         |       |
//	                         |           v         v       |
//	                         |        stopping <---+       |
//	                         v           v         v       |
//	                         '------> cleaning <---' ------+--> exited, failed, stopped
type State string

// The states of a service.
const (
	Waiting  State = "waiting"  // to be started when what it comes after is there
	Starting State = "starting" // the runtime prepares and starts it
	Running  State = "running"  // it runs and has not said that it is ready
	Ready    State = "ready"    // it runs and is ready
	Stopping State = "stopping" // it was told to stop
	Cleaning State = "cleaning" // it has ended, and what it left is removed
	Backoff  State = "backoff"  // it is started again after a pause
	Exited   State = "exited"   // it ended with success and stays down
	Failed   State = "failed"   // it is given up
	Stopped  State = "stopped"  // it is down because somebody wants it so
)

// next lists every transition that there is.
var next = map[State][]State{
	Waiting:  {Starting, Failed, Stopped},
	Starting: {Running, Cleaning},
	Running:  {Ready, Stopping, Cleaning},
	Ready:    {Stopping, Cleaning},
	Stopping: {Cleaning},
	Cleaning: {Waiting, Backoff, Exited, Failed, Stopped},
	Backoff:  {Waiting, Failed, Stopped},
	Exited:   {Waiting},
	Failed:   {Waiting},
	Stopped:  {Waiting, Failed},
}

// All lists the states in the order of a service's life.
func All() []State {
	return []State{Waiting, Starting, Running, Ready, Stopping, Cleaning, Backoff, Exited, Failed, Stopped}
}

// Legal tells whether a service may go from one state to the other.
func Legal(from, to State) bool { return slices.Contains(next[from], to) }

// Known tells whether s is a state at all, which a record that a newer version
// has written may not have.
func (s State) Known() bool { return next[s] != nil }

// Final tells whether a service stays in s until somebody asks otherwise.
func (s State) Final() bool { return s == Exited || s == Failed || s == Stopped }

// Up tells whether a service's program may be running.
func (s State) Up() bool {
	return s == Starting || s == Running || s == Ready || s == Stopping
}

// Busy tells whether there is something of a service in the system.
func (s State) Busy() bool { return s.Up() || s == Cleaning }

// Transition is one change of a service's state.
type Transition struct {
	Name string `json:"service"`
	// Seq counts the transitions of the service.
	Seq      int           `json:"seq"`
	From     State         `json:"from"`
	To       State         `json:"to"`
	Time     time.Time     `json:"time"`
	Cause    string        `json:"cause,omitempty"`
	Seconds  float64       `json:"duration_seconds"` // how long it was in From
	Duration time.Duration `json:"duration_ns"`      // as programs of the last version read it
}
