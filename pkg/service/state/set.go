package state

import (
	"fmt"
	"slices"
	"time"

	"slipway/pkg/bundle"
)

// Config is what a Set is made of.
type Config struct {
	Policies map[string]bundle.Policy
	// Faults are of services that cannot be started at all: a bundle that
	// cannot be read. Faults of the graph are added.
	Faults map[string]error
	// Slots bounds the starts under way at a time.
	Slots int
	// Jitter returns a number from 0 to 1.
	Jitter func() float64
}

// Set is all services. It is not safe for use by several goroutines.
type Set struct {
	graph    *Graph
	services map[string]*service
	order    []*service // as the graph orders them
	slots    int
	starting int // how many are, but for those that hang; slots is how many may begin
	jitter   func() float64
	ending   bool // Shutdown was asked for

	now     time.Time
	actions []Action
	changes []Transition
	touched []*service // their records changed in answer to this event
}

// New makes a set of services that are all stopped.
func New(c Config) *Set {
	s := &Set{services: map[string]*service{}, slots: max(c.Slots, 1), jitter: c.Jitter}
	s.Learn(c.Policies, c.Faults)
	return s
}

// Learn adds services, stopped, and takes new policies and faults for those that
// there are: what they are doing goes on.
func (s *Set) Learn(policies map[string]bundle.Policy, faults map[string]error) {
	for name, p := range policies {
		svc := s.known(name)
		svc.policy, svc.broken = p, ""
	}
	for name, err := range faults {
		s.known(name).broken = err.Error()
	}
	var nodes []node
	for name, svc := range s.services {
		nodes = append(nodes, node{Name: name, After: svc.policy.After, Requires: svc.policy.Requires})
	}
	s.graph = newGraph(nodes)
	s.order = make([]*service, len(s.graph.Order))
	for i, name := range s.graph.Order {
		s.order[i] = s.services[name]
		s.order[i].place = i
	}
	for name, svc := range s.services {
		svc.before, svc.needs, svc.behind = s.all(s.graph.Before(name)), s.all(s.graph.Needs(name)), s.all(s.graph.Behind(name))
		svc.fault = svc.broken
		if err := s.graph.Faults[name]; err != nil && svc.fault == "" {
			svc.fault = err.Error()
		}
	}
}

// all are services by name.
func (s *Set) all(names []string) []*service {
	var list []*service
	for _, name := range names {
		list = append(list, s.services[name])
	}
	return list
}

func (s *Set) known(name string) *service {
	if s.services[name] == nil {
		s.services[name] = &service{Record: Record{Name: name, State: Stopped}}
	}
	return s.services[name]
}

// Result is what Handle made of an event, in order.
type Result struct {
	Changes []Transition
	Actions []Action
	// Dirty are the services whose record changed: it has to be kept before
	// the actions are carried out.
	Dirty []string
}

// Handle takes one event.
func (s *Set) Handle(now time.Time, e Event) (Result, error) {
	s.begin(now)
	err := s.take(e)
	s.settle()
	r := Result{Changes: s.changes, Actions: s.actions}
	slices.SortFunc(s.touched, func(a, b *service) int { return a.place - b.place })
	for _, svc := range s.touched {
		r.Dirty = append(r.Dirty, svc.Name)
	}
	return r, err
}

func (s *Set) begin(now time.Time) {
	s.now, s.actions, s.changes = now, nil, nil
	for _, svc := range s.touched {
		svc.dirty, svc.moved = false, false
	}
	s.touched = s.touched[:0]
}

// touch notes that a record changed.
func (s *Set) touch(svc *service) {
	if !svc.dirty {
		svc.dirty = true
		s.touched = append(s.touched, svc)
	}
}

// Names lists all services, each behind what it comes after.
func (s *Set) Names() []string { return slices.Clone(s.graph.Order) }

// Record is a copy of what is known of a service.
func (s *Set) Record(name string) (Record, bool) {
	svc := s.services[name]
	if svc == nil {
		return Record{}, false
	}
	r := svc.Record
	r.Recent = slices.Clone(r.Recent)
	r.History = slices.Clone(r.History)
	r.Batch = slices.Clone(r.Batch)
	return r, true
}

// Peek is the record itself, for a look at it: it is not to be changed, and not
// to be kept.
func (s *Set) Peek(name string) *Record { return &s.services[name].Record }

// Graph is how the services are ordered.
func (s *Set) Graph() *Graph { return s.graph }

// Over tells whether the first start of all services is over: each was ready,
// failed, or waits for one whose first start failed.
func (s *Set) Over() bool {
	for _, svc := range s.order {
		if !s.over(svc) {
			return false
		}
	}
	return true
}

func (s *Set) over(svc *service) bool {
	if svc.First || svc.State.Final() {
		return true
	}
	if svc.State != Waiting {
		return false
	}
	return slices.ContainsFunc(svc.needs, func(d *service) bool { return d.State != Ready && d.State != Exited && s.over(d) })
}

// Idle tells whether there is nothing of any service in the system.
func (s *Set) Idle() bool {
	for _, svc := range s.services {
		if svc.State.Busy() {
			return false
		}
	}
	return true
}

// move changes a state. A transition that is not listed is a fault of this
// package; it is made an error of the program at once, in tests and in life.
func (s *Set) move(svc *service, to State, cause string) {
	if !Legal(svc.State, to) {
		panic(fmt.Sprintf("service %s: no transition from %s to %s (%s)", svc.Name, svc.State, to, cause))
	}
	t := Transition{Name: svc.Name, From: svc.State, To: to, Time: s.now, Cause: cause}
	if !svc.Since.IsZero() {
		t.Duration = max(0, s.now.Sub(svc.Since)) // a clock can be set back
		t.Seconds = t.Duration.Seconds()
	}
	if !svc.moved {
		svc.moved = true
		svc.Batch = nil
	}
	s.count(svc, -1)
	svc.Seq++
	t.Seq = svc.Seq
	s.changes = append(s.changes, t)
	svc.Batch = append(svc.Batch, t)
	svc.State, svc.Since, svc.Cause = to, s.now, cause
	svc.Blocked, svc.Hangs = "", ""
	s.count(svc, 1)
	s.touch(svc)
}

// count enters a service that takes a place among the starts under way, or leaves it out.
func (s *Set) count(svc *service, n int) {
	if svc.State == Starting && svc.Hangs == "" {
		s.starting += n
	}
}

func (s *Set) do(a Action) { s.actions = append(s.actions, a) }

func (s *Set) timer(svc *service, kind Timeout, after time.Duration) {
	s.do(Action{Do: DoSetTimer, Name: svc.Name, Run: svc.Run, Timer: kind, For: after})
}
