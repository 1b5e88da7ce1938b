package state

import (
	"fmt"

	"slipway/pkg/bundle"
)

// take enters one event; settle then draws the conclusions.
func (s *Set) take(e Event) error {
	if e.Kind == Shutdown {
		s.ending = true
		for _, svc := range s.services {
			s.want(svc, false)
		}
		return nil
	}
	if e.Name == "" {
		for _, name := range s.graph.Order {
			if svc := s.services[name]; e.Kind == Start && !s.ending && !svc.restored {
				s.want(svc, true)
			}
		}
		return nil
	}
	svc := s.services[e.Name]
	if svc == nil {
		return s.unknown(e.Name)
	}
	switch e.Kind {
	case Start:
		return s.start(svc, map[string]bool{})
	case Stop:
		s.stop(svc)
		return nil
	case Restart:
		return s.restart(svc)
	}
	if e.Run == 0 || e.Run == svc.Run {
		s.happened(svc, e)
	}
	return nil
}

func (s *Set) unknown(name string) error {
	if near := bundle.Nearest(name, s.graph.Order); near != "" {
		return fmt.Errorf("no service %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no service %q", name)
}

// Known is an error, with the nearest name, for a name that no service has.
func (s *Set) Known(name string) error {
	if s.services[name] == nil {
		return s.unknown(name)
	}
	return nil
}

func (s *Set) want(svc *service, up bool) {
	if svc.Wanted != up || svc.Again {
		s.touch(svc)
	}
	svc.Wanted, svc.Again, svc.Fallen = up, false, ""
}

// start brings up a service and what it requires.
func (s *Set) start(svc *service, seen map[string]bool) error {
	if s.ending {
		return fmt.Errorf("start %s: the services are being stopped", svc.Name)
	}
	if svc.fault != "" {
		return fmt.Errorf("start %s: %s", svc.Name, svc.fault)
	}
	seen[svc.Name] = true
	for _, dep := range svc.needs {
		if seen[dep.Name] {
			continue
		}
		if err := s.start(dep, seen); err != nil {
			return fmt.Errorf("start %s: %w", svc.Name, err)
		}
	}
	// One that is going down is to come up again afterwards.
	again := svc.Again || svc.State == Stopping || svc.State == Cleaning && !svc.Wanted
	s.want(svc, true)
	svc.Again = again
	switch svc.State {
	case Stopped, Exited, Failed, Backoff:
		svc.Delay, svc.Recent = 0, nil
		s.move(svc, Waiting, "start was asked for")
	}
	return nil
}

// stop takes a service down, after what requires it.
func (s *Set) stop(svc *service) {
	for _, user := range svc.behind {
		if user.Wanted && user.requires(svc) {
			s.stop(user)
		}
	}
	s.want(svc, false)
}

// restart takes down and up again one service alone: what requires it runs on,
// as it does when the service restarts by itself.
func (s *Set) restart(svc *service) error {
	if !svc.State.Up() && svc.State != Cleaning {
		return s.start(svc, map[string]bool{})
	}
	if s.ending {
		return fmt.Errorf("restart %s: the services are being stopped", svc.Name)
	}
	if svc.fault != "" {
		return fmt.Errorf("restart %s: %s", svc.Name, svc.fault)
	}
	s.want(svc, true)
	svc.Again = true
	s.touch(svc)
	return nil
}
