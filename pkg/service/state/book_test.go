package state

import (
	"time"

	"slipway/pkg/bundle"
)

// book is kept beside a world: what the services should be, worked out from the
// requests and the transitions by rules that are written down here anew.
type book struct {
	wanted  map[string]bool
	state   map[string]State
	seq     map[string]int
	since   map[string]time.Time
	pairs   map[[2]State]int
	delay   map[string]time.Duration // the next pause, without jitter
	ready   map[string]time.Time     // since when this run is
	pauses  map[string][]time.Time   // beginnings, since somebody asked for a start
	machine map[string]int           // times the machine was told
	meant   map[string]bool          // a failure that means something for the machine
}

func newBook() book {
	return book{wanted: map[string]bool{}, state: map[string]State{}, seq: map[string]int{},
		since: map[string]time.Time{}, pairs: map[[2]State]int{}, delay: map[string]time.Duration{},
		ready: map[string]time.Time{}, pauses: map[string][]time.Time{}, machine: map[string]int{}, meant: map[string]bool{}}
}

// request enters what somebody asked for.
func (b *book) request(w *world, e Event, before Record, err error) {
	switch {
	case e.Kind == Shutdown:
		clear(b.wanted)
	case e.Kind == Start && e.Name == "":
		for _, name := range w.set.Names() {
			b.wanted[name] = true
		}
	case e.Kind == Stop:
		b.drop(w, e.Name)
	case err != nil:
		// What was refused for one that it requires has reached some of them.
		for _, name := range w.set.Names() {
			b.wanted[name] = w.set.Peek(name).Wanted || b.wanted[name]
		}
	case e.Kind == Start, e.Kind == Restart && !before.State.Busy():
		b.start(w, e.Name)
	case e.Kind == Restart:
		b.wanted[e.Name] = true
	}
}

func (b *book) start(w *world, name string) {
	for _, dep := range w.set.Graph().Needs(name) {
		b.start(w, dep)
	}
	b.wanted[name] = true
}

// drop takes one down, and those that require it.
func (b *book) drop(w *world, name string) {
	for _, user := range w.set.Graph().Behind(name) {
		if b.wanted[user] && w.set.Graph().Requires(user, name) {
			b.drop(w, user)
		}
	}
	b.wanted[name] = false
}

// change enters a transition and checks it against the one before.
func (b *book) change(w *world, c Transition) {
	w.t.Helper()
	from, known := b.state[c.Name]
	switch {
	case !known && c.From != Stopped, known && c.From != from:
		w.fail("%s goes from %s, and was %s", c.Name, c.From, from)
	case c.Seq != b.seq[c.Name]+1:
		w.fail("%s: transition %d follows %d", c.Name, c.Seq, b.seq[c.Name])
	case !c.Time.Equal(w.now) || known && c.Duration != w.now.Sub(b.since[c.Name]):
		w.fail("%s: %s for %s, since %s", c.Name, c.From, c.Duration, b.since[c.Name])
	case c.Cause == "" && (c.To == Stopping || c.To == Failed || c.To == Backoff || c.To == Cleaning):
		w.fail("%s is %s with no cause", c.Name, c.To)
	}
	b.state[c.Name], b.seq[c.Name], b.since[c.Name] = c.To, c.Seq, c.Time
	b.pairs[[2]State{c.From, c.To}]++
	b.enter(w, c)
}

func (b *book) enter(w *world, c Transition) {
	w.t.Helper()
	policy := w.config.Policies[c.Name]
	switch c.To {
	case Waiting:
		if c.From != Backoff || c.Cause == "start was asked for" {
			b.pauses[c.Name] = nil
			b.delay[c.Name] = policy.RestartDelay
		}
	case Ready:
		b.ready[c.Name] = c.Time
	case Cleaning:
		if since, was := b.ready[c.Name]; was && c.Time.Sub(since) >= time.Minute {
			b.delay[c.Name] = policy.RestartDelay
		}
		delete(b.ready, c.Name)
	case Backoff:
		b.pause(w, c, policy)
	case Failed:
		b.wanted[c.Name] = false
		b.drop(w, c.Name)
		b.meant[c.Name] = policy.OnFailure != "" && policy.OnFailure != bundle.Continue && !w.ending
	case Exited:
		b.wanted[c.Name] = false
	}
}

// pause checks the length of a pause and the number of them.
func (b *book) pause(w *world, c Transition, policy bundle.Policy) {
	w.t.Helper()
	length, full := w.set.Peek(c.Name).Resume.Sub(c.Time), b.delay[c.Name]
	if length > full || length < full*3/4 {
		w.fail("%s pauses for %s, not a little less than %s", c.Name, length, full)
	}
	b.delay[c.Name] = min(2*full, policy.RestartMaxDelay)
	if policy.Restart == bundle.RestartNo {
		w.fail("%s is started again", c.Name)
	}
	b.pauses[c.Name] = append(b.pauses[c.Name], c.Time)
	recent := 0
	for _, at := range b.pauses[c.Name] {
		if c.Time.Sub(at) < policy.RestartLimit.Window {
			recent++
		}
	}
	if limit := policy.RestartLimit.Count; limit > 0 && recent > limit {
		w.fail("%s is started again %d times within %s", c.Name, recent, policy.RestartLimit.Window)
	}
}

// check compares the book with the set.
func (b *book) check(w *world) {
	w.t.Helper()
	for _, name := range w.set.Names() {
		rec := w.set.Peek(name)
		if rec.Wanted != b.wanted[name] {
			w.fail("%s (%s): wanted is %v, and should be %v", name, rec.State, rec.Wanted, b.wanted[name])
		}
		if b.meant[name] && b.machine[name] == 0 {
			w.fail("%s failed, and the machine was not told", name)
		}
	}
}
