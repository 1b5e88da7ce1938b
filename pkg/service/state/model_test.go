package state

import (
	"math/rand/v2"
	"testing"
	"time"

	"slipway/pkg/reap"
)

// TestGeneratedLives runs sets of services through random lives: requests,
// crashes, failing starts, the death of the supervisor, and at last a shutdown.
func TestGeneratedLives(t *testing.T) {
	lives := 3000
	if testing.Short() {
		lives = 300
	}
	starts := 0
	seen := map[[2]State]int{}
	for seed := range lives {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(t, r, randomConfig(r))
		w.send(Event{Kind: Start})
		for range 20 + r.IntN(150) {
			w.step()
			w.check()
		}
		if r.IntN(2) == 0 {
			w.settleDown()
		}
		w.shutdown()
		starts += w.starts
		for pair, n := range w.book.pairs {
			seen[pair] += n
		}
	}
	if starts < lives {
		t.Errorf("only %d starts in %d lives", starts, lives)
	}
	if testing.Short() {
		return // too few for the rare ones
	}
	for from, all := range next {
		for _, to := range all {
			if seen[[2]State{from, to}] == 0 {
				t.Errorf("nothing went from %s to %s in %d lives", from, to, lives)
			}
		}
	}
}

// step does one random thing.
func (w *world) step() {
	names := w.set.Names()
	name := names[w.r.IntN(len(names))]
	switch w.r.IntN(12) {
	case 0:
		w.send(Event{Kind: Stop, Name: name})
	case 1:
		w.send(Event{Kind: Start, Name: name})
	case 2:
		w.send(Event{Kind: Restart, Name: name})
	case 3:
		if _, is := w.live[name]; is {
			w.end(name, []reap.Status{{}, {Code: 1}, {Signal: 9}}[w.r.IntN(3)])
		}
	case 4:
		rec, _ := w.set.Record(name)
		w.send(Event{Kind: Unhealthy, Name: name, Run: rec.Run, Cause: "no answer"})
	case 5:
		if w.r.IntN(2) == 0 {
			w.die()
		}
	case 6:
		w.now = w.now.Add(time.Duration(w.r.IntN(100)) * time.Second)
		w.pass()
	default:
		w.happen()
	}
}

// check holds at any moment.
func (w *world) check() {
	w.t.Helper()
	for _, name := range w.set.Names() {
		rec, _ := w.set.Record(name)
		_, live := w.live[name]
		_, ended := w.ended[name]
		up := rec.State == Running || rec.State == Ready || rec.State == Stopping
		if up && rec.Proc.Pid == 0 {
			w.fail("%s is %s with no process", name, rec.State)
		}
		if up != (live || ended) {
			w.fail("%s is %s, program live %v ended %v", name, rec.State, live, ended)
		}
		if rec.Exits != w.exits[name] {
			w.fail("%s: %d exits noted, %d happened", name, rec.Exits, w.exits[name])
		}
	}
	w.book.check(w)
}

// settleDown has everything go well from now on, and time pass until nothing is
// left to happen. Then no service is lost: each that somebody wants is ready, and
// each that is not says why.
func (w *world) settleDown() {
	w.t.Helper()
	w.log = append(w.log, "--- calm")
	w.calm = true
	for n := 0; w.happen() || w.pass(); n++ {
		if n > 10000 {
			w.fail("it does not come to rest")
		}
	}
	w.check()
	for _, name := range w.set.Names() {
		rec, _ := w.set.Record(name)
		switch {
		case rec.Wanted && rec.State != Ready:
			w.fail("%s is wanted, and %s at rest (waits for %q)", name, rec.State, rec.Blocked)
		case !rec.Wanted && !rec.State.Final():
			w.fail("%s is not wanted, and %s at rest", name, rec.State)
		case rec.State == Failed && rec.Cause == "":
			w.fail("%s failed for no reason", name)
		case w.set.services[name].fault != "" && rec.State == Ready:
			w.fail("%s is ready in spite of %s", name, w.set.services[name].fault)
		}
		for _, dep := range w.set.Graph().Needs(name) {
			if d, _ := w.set.Record(dep); rec.State == Ready && d.State != Ready && d.State != Exited {
				w.fail("%s is ready, and %s, which it requires, %s", name, dep, d.State)
			}
		}
	}
	w.calm = false
}

func (w *world) shutdown() {
	w.t.Helper()
	w.send(Event{Kind: Shutdown})
	w.ending = true
	for n := 0; !w.set.Idle(); n++ {
		if !w.happen() && !w.pass() {
			w.fail("shutdown stands still")
		}
		if n > 10000 {
			w.fail("shutdown does not end")
		}
	}
	for _, name := range w.set.Names() {
		if rec, _ := w.set.Record(name); !rec.State.Final() {
			w.fail("%s is %s after shutdown", name, rec.State)
		}
	}
}
