package control

import (
	"time"

	"slipway/pkg/service/state"
)

// Service is a service as it is now.
type Service struct {
	Name     string      `json:"name"`
	Image    string      `json:"image,omitempty"` // where the builder has written it
	State    state.State `json:"state"`
	Cause    string      `json:"cause,omitempty"`
	WaitsFor string      `json:"waits_for,omitempty"`
	Hangs    string      `json:"hangs,omitempty"`
	Since    time.Time   `json:"since"`
	Pid      int         `json:"pid,omitempty"`
	Runtime  string      `json:"runtime,omitempty"` // of the container that is up, by name or path
	Started  time.Time   `json:"started,omitzero"`
	Uptime   float64     `json:"uptime_seconds,omitempty"`
	Restarts int         `json:"restarts"`
	Runs     int         `json:"runs"`
	Exits    int         `json:"exits"`
	// Ready is how long it took from start to ready.
	Ready    float64      `json:"ready_seconds,omitempty"`
	Probe    string       `json:"probe"`
	LastExit *state.Exit  `json:"last_exit,omitempty"`
	History  []state.Exit `json:"history,omitempty"`
	After    []string     `json:"after,omitempty"`
	Requires []string     `json:"requires,omitempty"`
	Memory   uint64       `json:"memory_bytes"`
	// Files is the part of it in files in memory, its writable layer's too.
	Files uint64  `json:"memory_files_bytes"`
	CPU   float64 `json:"cpu_seconds"`
	Tasks uint64  `json:"tasks"`
	// OOMKills are of the present run; OOMs are the runs that ended by one.
	OOMKills uint64    `json:"oom_kills,omitempty"`
	OOMs     int       `json:"-"`
	Starts   Durations `json:"-"`
}

// Step is an onboot or onshutdown container.
type Step struct {
	Section string        `json:"section"`
	Name    string        `json:"name"`
	State   string        `json:"state"`
	Result  string        `json:"result,omitempty"`
	Seconds float64       `json:"took_seconds,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"` // as programs of the last version read it
}

// List is all containers.
type List struct {
	// LastBoot is how the boot before this one ended, where /var lasts.
	LastBoot   string    `json:"last_boot,omitempty"`
	Supervisor Process   `json:"supervisor,omitzero"`
	Memory     *Memory   `json:"memory,omitempty"`
	Steps      []Step    `json:"steps"`
	Services   []Service `json:"services"`
}

// Memory is what all containers share, in bytes. What they hold cannot be had
// back while they run.
type Memory struct {
	Limit uint64 `json:"limit_bytes"`
	Held  uint64 `json:"held_bytes"`
	// Short says who holds it, when there is little left.
	Short string `json:"short,omitempty"`
}

// Process is the supervisor itself.
type Process struct {
	Pid     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Memory is resident memory of its own, without that of its program.
	Memory uint64 `json:"memory_bytes"`
}

// Durations counts times by size.
type Durations struct {
	Counts [len(Bounds) + 1]int // of those up to each bound, and above the last
	Sum    time.Duration
}

// Bounds are the upper ends of what Durations tells apart.
var Bounds = [...]time.Duration{
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute,
}

// Add counts one.
func (d *Durations) Add(t time.Duration) {
	i := 0
	for i < len(Bounds) && t > Bounds[i] {
		i++
	}
	d.Counts[i]++
	d.Sum += t
}
