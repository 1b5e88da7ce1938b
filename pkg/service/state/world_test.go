package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// world is what a Set acts upon: programs that start, run, become ready and
// end when a random generator says so, and a clock that stands still otherwise.
type world struct {
	t        *testing.T
	r        *rand.Rand
	set      *Set
	config   Config
	now      time.Time
	starting map[string]int // by name, the run
	live     map[string]int
	finding  map[string]int         // starts of a dead supervisor that have to be found
	ended    map[string]reap.Status // ended, not told yet
	cleaning map[string]int
	probing  map[string]int
	timers   []timer
	disk     map[string][]byte // the records
	lives    int               // of supervisors
	ending   bool
	calm     bool // every start succeeds, nothing crashes
	pid      int
	starts   int
	exits    map[string]int
	log      []string
	book     book
}

type timer struct {
	Action
	at time.Time
}

func newWorld(t *testing.T, r *rand.Rand, c Config) *world {
	c.Jitter = r.Float64
	return &world{t: t, r: r, set: New(c), config: c, now: time.Unix(1000, 0),
		disk: map[string][]byte{}, starting: map[string]int{}, live: map[string]int{}, ended: map[string]reap.Status{},
		cleaning: map[string]int{}, finding: map[string]int{}, probing: map[string]int{}, exits: map[string]int{}, book: newBook()}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.log[max(0, len(w.log)-60):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) send(e Event) {
	w.t.Helper()
	w.log = append(w.log, fmt.Sprintf("event %+v", e))
	before, _ := w.set.Record(e.Name)
	r, err := w.set.Handle(w.now, e)
	if err != nil && e.Kind != Start && e.Kind != Restart {
		w.fail("event %+v: %v", e, err)
	}
	w.book.request(w, e, before, err)
	w.apply(r)
}

// apply carries out an answer. The supervisor may die in the midst of it, when
// what has changed is kept and not all of it is done.
func (w *world) apply(r Result) {
	w.t.Helper()
	w.keep(r.Dirty)
	for _, c := range r.Changes {
		w.log = append(w.log, fmt.Sprintf("  %s: %s -> %s (%s)", c.Name, c.From, c.To, c.Cause))
		w.book.change(w, c)
	}
	for _, a := range r.Actions {
		if w.mortal() {
			w.log = append(w.log, fmt.Sprintf("  not done: %+v", a))
			w.die()
			return
		}
		w.act(a)
	}
}

// mortal tells whether the supervisor dies now.
func (w *world) mortal() bool { return !w.calm && !w.ending && w.r.IntN(200) == 0 }

func (w *world) act(a Action) {
	w.t.Helper()
	w.log = append(w.log, fmt.Sprintf("  do %+v", a))
	switch a.Do {
	case DoStart:
		w.checkStart(a)
		w.starting[a.Name] = a.Run
		w.starts++
	case DoFind:
		w.finding[a.Name] = a.Run
	case DoClean:
		if _, is := w.live[a.Name]; is {
			w.fail("clean %s while it runs", a.Name)
		}
		delete(w.starting, a.Name)
		w.cleaning[a.Name] = a.Run
	case DoSignal:
		w.checkStop(a)
	case DoKill:
		if _, is := w.live[a.Name]; is {
			w.end(a.Name, reap.Status{Signal: 9})
		}
	case DoProbe:
		w.probing[a.Name] = a.Run
	case DoMachine:
		w.book.machine[a.Name]++
	case DoSetTimer:
		w.timers = append(w.timers, timer{a, w.now.Add(a.For)})
	}
}

func (w *world) checkStart(a Action) {
	w.t.Helper()
	_, starting := w.starting[a.Name]
	_, live := w.live[a.Name]
	_, cleaning := w.cleaning[a.Name]
	if starting || live || cleaning {
		w.fail("start of %s while starting %v, live %v, cleaning %v", a.Name, starting, live, cleaning)
	}
	if w.ending {
		w.fail("start of %s after shutdown", a.Name)
	}
	for _, dep := range w.set.Graph().Needs(a.Name) {
		if rec, _ := w.set.Record(dep); rec.State != Ready && rec.State != Exited {
			w.fail("start of %s, but %s, which it requires, is %s", a.Name, dep, rec.State)
		}
	}
	for _, dep := range w.set.Graph().Before(a.Name) {
		rec, _ := w.set.Record(dep)
		if !rec.First && rec.State != Ready && !rec.State.Final() {
			w.fail("start of %s, but %s, which it comes after, is %s", a.Name, dep, rec.State)
		}
	}
	beside := 0
	for name := range w.starting {
		if rec, _ := w.set.Record(name); rec.Hangs == "" {
			beside++
		}
	}
	if beside >= w.config.Slots {
		w.fail("start of %s beside %v", a.Name, w.starting)
	}
}

// checkStop: on the way down nothing stops before what comes after it.
func (w *world) checkStop(a Action) {
	w.t.Helper()
	if rec, _ := w.set.Record(a.Name); !w.ending || rec.Outcome == Failure {
		return
	}
	for _, name := range w.set.Graph().Behind(a.Name) {
		if rec, _ := w.set.Record(name); rec.State.Busy() {
			w.fail("stop of %s while %s is %s", a.Name, name, rec.State)
		}
	}
}

func (w *world) end(name string, s reap.Status) {
	delete(w.live, name)
	delete(w.probing, name)
	w.ended[name] = s
}

// happen lets one thing happen that is under way. It returns false if there is
// nothing but time to pass.
func (w *world) happen() bool {
	var options []func()
	add := func(f func()) { options = append(options, f) }
	for _, name := range slices.Sorted(maps.Keys(w.starting)) {
		if _, is := w.finding[name]; !is {
			add(func() { w.finishStart(name) })
			add(func() {
				w.send(Event{Kind: StartHangs, Name: name, Run: w.starting[name], Cause: "a disk"})
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.finding)) {
		add(func() { w.find(name) })
	}
	for _, name := range slices.Sorted(maps.Keys(w.ended)) {
		if _, is := w.finding[name]; !is {
			add(func() { w.tellEnd(name) })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.cleaning)) {
		add(func() {
			run := w.cleaning[name]
			delete(w.cleaning, name)
			w.send(Event{Kind: Cleaned, Name: name, Run: run})
		})
	}
	for _, name := range slices.Sorted(maps.Keys(w.probing)) {
		add(func() {
			run := w.probing[name]
			delete(w.probing, name)
			w.send(Event{Kind: BecameReady, Name: name, Run: run})
		})
	}
	for _, name := range slices.Sorted(maps.Keys(w.live)) {
		if rec, _ := w.set.Record(name); rec.State == Stopping && w.r.IntN(3) > 0 {
			add(func() { w.end(name, reap.Status{Signal: 15}) })
		}
	}
	if len(options) == 0 {
		return false
	}
	options[w.r.IntN(len(options))]()
	return true
}

func (w *world) finishStart(name string) {
	run := w.starting[name]
	delete(w.starting, name)
	if !w.calm && w.r.IntN(5) == 0 {
		w.send(Event{Kind: StartFailed, Name: name, Run: run, Cause: "no such command"})
		return
	}
	w.pid++
	w.live[name] = run
	w.send(Event{Kind: Started, Name: name, Run: run, Proc: reap.Ident{Pid: w.pid, Start: 1}})
}

func (w *world) tellEnd(name string) {
	rec, _ := w.set.Record(name)
	status := w.ended[name]
	delete(w.ended, name)
	w.exits[name]++
	w.send(Event{Kind: Ended, Name: name, Run: rec.Run, Status: status, OOM: status.Signal == 9 && w.r.IntN(2) == 0})
}

// pass lets time pass until the next timer.
func (w *world) pass() bool {
	if len(w.timers) == 0 {
		return false
	}
	slices.SortStableFunc(w.timers, func(a, b timer) int { return a.at.Compare(b.at) })
	first := w.timers[0]
	w.timers = w.timers[1:]
	if first.at.After(w.now) {
		w.now = first.at
	}
	w.send(Event{Kind: TimerRang, Name: first.Name, Run: first.Run, Timer: first.Timer})
	return true
}

// die is a kill -9 of the supervisor and the start of the next, which may die as
// well before it has taken all over.
func (w *world) die() {
	w.log = append(w.log, "--- the supervisor dies")
	w.lives++
	life := w.lives
	w.set = New(w.config)
	w.timers, w.probing, w.finding = nil, map[string]int{}, map[string]int{}
	cleaning := w.cleaning
	w.cleaning = map[string]int{}
	wanted := map[string]bool{}
	for _, name := range w.set.Names() {
		rec, known := w.kept(name)
		wanted[name] = rec.Wanted || !known
		if !known {
			continue
		}
		_, cleans := cleaning[name]
		if w.apply(w.set.Restore(w.now, rec, w.found(name, cleans))); w.lives != life {
			return
		}
	}
	w.apply(must(w.set.Handle(w.now, Event{Kind: Start})))
	if w.lives != life {
		return
	}
	for name, was := range wanted {
		if rec, _ := w.set.Record(name); rec.Wanted && !was {
			w.fail("%s is wanted by a new supervisor only", name)
		}
	}
}

// keep writes records as the supervisor does, before it acts.
func (w *world) keep(names []string) {
	for _, name := range names {
		rec, _ := w.set.Record(name)
		data, err := json.Marshal(rec)
		if err != nil {
			w.fail("%v", err)
		}
		w.disk[name] = data
	}
}

func (w *world) kept(name string) (rec Record, known bool) {
	data, known := w.disk[name]
	if known {
		if err := json.Unmarshal(data, &rec); err != nil {
			w.fail("%v", err)
		}
	}
	return rec, known
}

// found is what is left of a service. What came of a start is looked for later.
func (w *world) found(name string, cleaning bool) Found {
	if _, starting := w.starting[name]; cleaning || starting {
		return Found{}
	}
	return w.left(name)
}

// find tells what came of a start of a dead supervisor: it may have come to its
// end before that did, and the program to its own.
func (w *world) find(name string) {
	run := w.finding[name]
	delete(w.finding, name)
	found := w.left(name)
	if _, is := w.starting[name]; is {
		delete(w.starting, name)
		if w.r.IntN(2) == 0 {
			w.pid++
			w.live[name] = run
			if w.r.IntN(3) == 0 {
				w.end(name, reap.Status{Code: 1})
			}
			found = w.left(name)
		}
	}
	w.send(Event{Kind: FoundStart, Name: name, Run: run, Found: found})
}

func (w *world) left(name string) Found {
	if status, is := w.ended[name]; is {
		delete(w.ended, name)
		w.exits[name]++
		return Found{Ended: true, Status: status}
	}
	_, live := w.live[name]
	return Found{Running: live, Proc: reap.Ident{Pid: w.pid, Start: 1}}
}

func must(r Result, err error) Result {
	if err != nil {
		panic(errors.Join(errors.New("event refused"), err))
	}
	return r
}

func randomConfig(r *rand.Rand) Config {
	c := Config{Policies: map[string]bundle.Policy{}, Slots: 1 + r.IntN(4), Faults: map[string]error{}}
	n := 1 + r.IntN(8)
	name := func(i int) string { return fmt.Sprintf("s%d", i) }
	for i := range n {
		p := bundle.DefaultPolicy(bundle.Services)
		p.Restart = []bundle.Restart{bundle.RestartNo, bundle.RestartOnFailure, bundle.RestartAlways}[r.IntN(3)]
		if r.IntN(3) == 0 {
			p.RestartLimit = bundle.Limit{Count: 1 + r.IntN(4), Window: time.Minute}
		}
		if r.IntN(2) == 0 {
			p.Ready.Kind = bundle.ProbeNotify
		}
		p.OnFailure = []bundle.OnFailure{bundle.Continue, bundle.Stop, bundle.Reboot}[r.IntN(3)]
		for range r.IntN(3) {
			// Mostly backwards, so that there are few cycles.
			dep := name(r.IntN(i + 1 + r.IntN(2)))
			if r.IntN(2) == 0 {
				p.After = append(p.After, dep)
			} else {
				p.Requires = append(p.Requires, dep)
			}
		}
		c.Policies[name(i)] = p
	}
	if r.IntN(4) == 0 {
		c.Faults["broken"] = errors.New("config.json:3: bad")
	}
	return c
}
