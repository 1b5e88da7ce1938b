package supervisor

import (
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/sequence"
	"slipway/pkg/service/state"
)

// List is how all containers are now. It is to be called in the loop.
func (s *Supervisor) List() (l control.List) {
	var uses []usage
	l.Services, uses = s.statuses()
	s.complete(&l, uses)
	return l
}

// statuses are all services, and where to find what each uses. It is to be called in the loop.
func (s *Supervisor) statuses() (all []control.Service, uses []usage) {
	for _, name := range s.set.Names() {
		all, uses = append(all, s.Status(name)), append(uses, s.usage(name))
	}
	return all, uses
}

// complete adds to a list what is read from files.
func (s *Supervisor) complete(l *control.List, uses []usage) {
	known := map[string]cgroup.Memory{}
	for i, u := range uses {
		u.add(&l.Services[i], known)
	}
	s.addMachine(l, known)
}

// Steps is how the onboot and onshutdown containers did.
func Steps(p guest.Paths) []control.Step {
	var all []control.Step
	for _, section := range []bundle.Section{bundle.Onboot, bundle.Onshutdown} {
		steps, err := sequence.Load(p, section)
		if err != nil {
			continue // the section has not run
		}
		for _, step := range steps {
			result := step.Cause
			if result == "" && step.Status != nil {
				result = step.Status.String()
			}
			all = append(all, control.Step{Section: string(section), Name: step.Name,
				State: step.State, Result: result, Took: step.Took, Seconds: step.Took.Seconds()})
		}
	}
	return all
}

// Status is how one service is now, but for what it uses. It is to be called in
// the loop.
func (s *Supervisor) Status(name string) control.Service {
	rec, _ := s.set.Record(name)
	rec.Stamp(Clocks())
	v := control.Service{
		Name: name, State: rec.State, Cause: rec.Cause, WaitsFor: rec.Blocked, Hangs: rec.Hangs, Since: rec.Since,
		Pid: rec.Proc.Pid, Started: rec.StartedAt, Restarts: rec.Restarts, Runs: rec.Run,
		Exits: rec.Exits, LastExit: rec.LastExit, History: rec.History,
		After: s.set.Graph().Before(name), Requires: s.set.Graph().Needs(name),
	}
	if b := s.bundles[name]; b != nil {
		v.Image, v.Probe = b.Image(), string(b.Policy.Ready.Kind)
	}
	if l := s.lives[name]; l != nil && l.container != nil {
		v.Runtime = l.container.Runtime()
	}
	if rec.State.Up() && !rec.StartedAt.IsZero() {
		v.Uptime = time.Since(rec.StartedAt).Seconds()
	}
	if rec.State == state.Ready && !rec.ReadyAt.IsZero() {
		v.Ready = rec.ReadyAt.Sub(rec.StartedAt).Seconds()
	}
	if c := s.counters[name]; c != nil {
		v.Starts, v.OOMs = c.starts, c.ooms
	}
	return v
}
