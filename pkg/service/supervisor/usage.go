package supervisor

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/memory"
	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/state"
)

// counters count, for one service, what its record does not keep. A new
// supervisor counts anew, as counters may.
type counters struct {
	starting time.Duration // of the start under way, until it runs
	starts   control.Durations
	ooms     int
}

// count enters a transition.
func (s *Supervisor) count(t state.Transition) {
	c := s.counters[t.Name]
	if c == nil {
		c = &counters{}
		s.counters[t.Name] = c
	}
	rec, _ := s.set.Record(t.Name)
	switch {
	case t.From == state.Starting:
		c.starting = t.Duration
	case t.To == state.Ready:
		c.starts.Add(c.starting + t.Duration)
	}
	if t.To == state.Cleaning && rec.LastExit != nil && rec.LastExit.Run == rec.Run && rec.LastExit.OOM {
		c.ooms++
	}
}

// usage is where to find what a service uses. Its files are read outside the
// loop: there are several of them for each service.
type usage struct {
	group cgroup.Group
	up    bool
}

// usage is to be called in the loop.
func (s *Supervisor) usage(name string) usage {
	rec, _ := s.set.Record(name)
	l := s.lives[name]
	if l == nil || l.container == nil || !rec.State.Up() {
		return usage{}
	}
	return usage{l.container.Group(), true}
}

// add adds what the cgroup says, and notes its memory for who asks all of them. Without a
// group the figures stay 0.
func (u usage) add(v *control.Service, known map[string]cgroup.Memory) {
	if !u.up {
		return
	}
	if got, err := u.group.Stats(); err == nil {
		v.Memory, v.Files, v.CPU, v.Tasks, v.OOMKills = got.Memory.Current, got.Memory.Files, got.CPU.Seconds(), got.Pids, got.OOMKills
		known[v.Name] = got.Memory
	}
}

// addMachine adds what is read from files and is of no one service.
func (s *Supervisor) addMachine(l *control.List, known map[string]cgroup.Memory) {
	p := s.Guest.Paths
	l.Steps = Steps(p)
	if u, err := memory.Look(known); err == nil && u.Limit > 0 {
		l.Memory = &control.Memory{Limit: u.Limit, Held: u.Held}
		if u.Short() {
			l.Memory.Short = u.String()
		}
	}
	var last guest.Ending
	if machine.ReadJSON(p.RunDir("last-boot.json"), &last) == nil {
		l.LastBoot = last.Reason
	}
	l.Supervisor = control.Process{Pid: os.Getpid(), Started: s.began, Memory: residentMemory()}
}

// residentMemory is what of this process lies in memory and is its own: pages of
// the program itself can be dropped.
func residentMemory() uint64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(lineOf(data, "RssAnon:"))
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseUint(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
