package state

import (
	"math/rand/v2"
	"testing"
	"time"

	"slipway/pkg/reap"
)

// TestGeneratedLives runs sets of services through random lives: wishes,
// crashes, failing starts, the death of the supervisor, and at last a shutdown.
func TestGeneratedLives(t *testing.T) {
	lives := 3000
	if testing.Short() {
		lives = 300
	}
	starts := 0
	for seed := range lives {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(t, r, randomConfig(r))
		w.send(Event{Kind: Start})
		for range 20 + r.IntN(150) {
			w.step()
			w.check()
		}
		w.settleDown()
		w.shutdown()
		starts += w.starts
	}
	if starts < lives {
		t.Errorf("only %d starts in %d lives", starts, lives)
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
			w.end(name, reap.Status{Code: w.r.IntN(2)})
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
}

// settleDown lets everything under way come to its end and checks that no
// wanted service was lost: each is up, or says why not.
func (w *world) settleDown() {
	w.t.Helper()
	for n := 0; w.happen(); n++ {
		if n > 10000 {
			w.fail("it does not come to rest")
		}
	}
	w.check()
	for _, name := range w.set.Names() {
		rec, _ := w.set.Record(name)
		switch rec.State {
		case Starting, Cleaning:
			w.fail("%s is %s and nothing is under way", name, rec.State)
		case Waiting:
			if rec.Blocked == "" {
				w.fail("%s waits for nothing", name)
			}
		case Stopped:
			if rec.Wanted {
				w.fail("%s is wanted and stopped", name)
			}
		}
	}
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
