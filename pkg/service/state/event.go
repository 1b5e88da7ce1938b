package state

import (
	"time"

	"slipway/pkg/reap"
)

// Event is something that happened or was asked for. One with Name "" is of all.
type Event struct {
	Kind Kind
	Name string
	// Run is the start it belongs to: what an earlier run left under way, a
	// timer or a probe, must not touch a later one. 0 fits any.
	Run    int
	Proc   reap.Ident // Started
	Status reap.Status
	Timer  Timeout // TimerRang
	OOM    bool    // Ended: the kernel killed it when out of memory
	Hangs  bool    // StartFailed: what was begun goes on, and Cleaned may never come
	Cause  string  // in words, for people
	Found  Found   // FoundStart
}

// Kind is the kind of an event.
type Kind string

// The events. Those up to Shutdown are requests, the rest is what happened.
const (
	// Start brings it up, with what it requires. Of all, those that no
	// supervisor has dealt with yet.
	Start    Kind = "start"
	Stop     Kind = "stop"     // take it down, after what requires it
	Restart  Kind = "restart"  // take it down and up again
	Shutdown Kind = "shutdown" // take all down and start nothing more

	Started     Kind = "started"
	StartFailed Kind = "start-failed"
	StartHangs  Kind = "start-hangs" // in what the Cause says; "": it gets on again
	FoundStart  Kind = "found-start"
	BecameReady Kind = "became-ready"
	Unhealthy   Kind = "unhealthy"
	Ended       Kind = "ended"
	Cleaned     Kind = "cleaned"
	TimerRang   Kind = "timer"
)

// Action is something to carry out.
type Action struct {
	Do    Verb
	Name  string
	Run   int
	Timer Timeout       // SetTimer
	For   time.Duration // SetTimer
	Sig   int           // Signal
	Cause string        // Machine
}

// Verb is the kind of an action.
type Verb string

// The actions.
const (
	DoStart    Verb = "start"  // answered by Started, then one Ended; or by StartFailed
	DoFind     Verb = "find"   // see what came of an earlier supervisor's start; answered by FoundStart
	DoCancel   Verb = "cancel" // give up a start under way: it answers all the same
	DoSignal   Verb = "signal"
	DoKill     Verb = "kill"  // the whole cgroup
	DoClean    Verb = "clean" // answered by Cleaned
	DoProbe    Verb = "probe" // find out when it is ready
	DoWatch    Verb = "watch" // begin health probes
	DoSetTimer Verb = "set-timer"
	DoMachine  Verb = "machine" // the service's failure means something for the machine
)

// Timeout says what a timer is for.
type Timeout string

// The timers.
const (
	ReadyTimeout Timeout = "ready-timeout"
	StopTimeout  Timeout = "stop-timeout"
	Pause        Timeout = "pause"
)
