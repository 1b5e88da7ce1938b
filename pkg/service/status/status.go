// Package status is what the supervisor tells of a container, to the command
// line and to programs: one type, its JSON, and its table.
package status

import (
	"time"

	"slipway/pkg/service/state"
)

// Service is a service as it is now.
type Service struct {
	Name     string      `json:"name"`
	State    state.State `json:"state"`
	Cause    string      `json:"cause,omitempty"`
	WaitsFor string      `json:"waits_for,omitempty"`
	Since    time.Time   `json:"since"`
	Pid      int         `json:"pid,omitempty"`
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
	CPU      float64      `json:"cpu_seconds"`
	Tasks    uint64       `json:"tasks"`
	OOMKills uint64       `json:"oom_kills,omitempty"`
}

// Step is an onboot or onshutdown container.
type Step struct {
	Section string        `json:"section"`
	Name    string        `json:"name"`
	State   string        `json:"state"`
	Result  string        `json:"result,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
}

// List is all containers.
type List struct {
	// LastBoot is how the boot before this one ended, where /var lasts.
	LastBoot string    `json:"last_boot,omitempty"`
	Steps    []Step    `json:"steps"`
	Services []Service `json:"services"`
}
