package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// dag is a set of services that behave, of which the test itself keeps book: who
// is where is known from the events it has sent, not from the set.
type dag struct {
	t        *testing.T
	r        *rand.Rand
	set      *Set
	g        *Graph
	slots    int
	notify   map[string]bool
	starts   map[string]int
	runs     map[string]int
	starting []string
	probing  []string
	up       map[string]bool // ready
	stopping []string
	down     map[string]bool
}

// randomDAG has up to 200 services, each behind some that come before it in a
// random order.
func randomDAG(t *testing.T, r *rand.Rand) *dag {
	n := 1 + r.IntN(50)
	if r.IntN(5) == 0 {
		n = 1 + r.IntN(200)
	}
	names := make([]string, n)
	for i, at := range r.Perm(n) {
		names[i] = fmt.Sprintf("s%03d", at)
	}
	d := &dag{t: t, r: r, slots: 1 + r.IntN(8), notify: map[string]bool{}, starts: map[string]int{},
		runs: map[string]int{}, up: map[string]bool{}, down: map[string]bool{}}
	if r.IntN(2) == 0 {
		d.slots = n
	}
	c := Config{Policies: map[string]bundle.Policy{}, Slots: d.slots, Jitter: r.Float64}
	for i, name := range names {
		p := bundle.DefaultPolicy(bundle.Services)
		p.Restart = bundle.RestartNo
		if d.notify[name] = r.IntN(3) == 0; d.notify[name] {
			p.Ready.Kind = bundle.ProbeNotify
		}
		for range min(i, r.IntN(4)) {
			if dep := names[r.IntN(i)]; r.IntN(2) == 0 {
				p.After = append(p.After, dep)
			} else {
				p.Requires = append(p.Requires, dep)
			}
		}
		c.Policies[name] = p
	}
	d.set = New(c)
	d.g = d.set.Graph()
	if len(d.g.Faults) > 0 {
		t.Fatalf("faults in a graph without any: %v", d.g.Faults)
	}
	return d
}

func (d *dag) send(e Event) {
	d.t.Helper()
	r, err := d.set.Handle(time.Unix(1000, 0), e)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, a := range r.Actions {
		switch a.Do {
		case DoStart:
			d.starts[a.Name]++
			d.runs[a.Name] = a.Run
			d.starting = append(d.starting, a.Name)
		case DoProbe:
			d.probing = append(d.probing, a.Name)
		case DoSignal:
			d.stopping = append(d.stopping, a.Name)
		}
	}
}

// take removes one at random.
func (d *dag) take(list *[]string) string {
	i := d.r.IntN(len(*list))
	name := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return name
}

// startOne lets one start, or one probe, come to its end.
func (d *dag) startOne() {
	if len(d.starting) == 0 || len(d.probing) > 0 && d.r.IntN(2) == 0 {
		name := d.take(&d.probing)
		d.up[name] = true
		d.send(Event{Kind: BecameReady, Name: name, Run: d.runs[name]})
		return
	}
	name := d.take(&d.starting)
	d.up[name] = !d.notify[name]
	d.send(Event{Kind: Started, Name: name, Run: d.runs[name], Proc: reap.Ident{Pid: 1, Start: 1}})
}

// checkStarting: all that can start do, as many at a time as there are slots, and
// none that comes after one that is not ready.
func (d *dag) checkStarting() {
	d.t.Helper()
	can := len(d.starting)
	for _, name := range d.set.Names() {
		early := slices.ContainsFunc(d.g.Before(name), func(dep string) bool { return !d.up[dep] })
		if d.starts[name] > 0 && early {
			d.t.Fatalf("%s was started before what it comes after", name)
		}
		if d.starts[name] == 0 && !early {
			can++
		}
	}
	if want := min(can, d.slots); len(d.starting) != want {
		d.t.Fatalf("%d start at a time, %d could, in %d slots", len(d.starting), can, d.slots)
	}
}

// checkStopping: all that can stop do, and none before what comes after it.
func (d *dag) checkStopping() {
	d.t.Helper()
	for _, name := range d.set.Names() {
		may := !slices.ContainsFunc(d.g.Behind(name), func(user string) bool { return !d.down[user] })
		is := d.down[name] || slices.Contains(d.stopping, name)
		if may != is {
			d.t.Fatalf("%s stops: %v, may stop: %v", name, is, may)
		}
	}
}

// A thousand graphs come up and go down: each service once, none early, none
// late, and as much at a time as the graph allows.
func TestRandomGraphsComeUpAndGoDown(t *testing.T) {
	for seed := range 1000 {
		d := randomDAG(t, rand.New(rand.NewPCG(uint64(seed), 11)))
		d.send(Event{Kind: Start})
		for len(d.starting)+len(d.probing) > 0 {
			d.checkStarting()
			d.startOne()
		}
		if !d.set.Over() {
			t.Fatal("all are up and the start is not over")
		}
		d.send(Event{Kind: Shutdown})
		for len(d.stopping) > 0 {
			d.checkStopping()
			name := d.take(&d.stopping)
			d.send(Event{Kind: Ended, Name: name, Run: d.runs[name], Status: reap.Status{Signal: 15}})
			d.down[name] = true
			d.send(Event{Kind: Cleaned, Name: name, Run: d.runs[name]})
		}
		for _, name := range d.set.Names() {
			rec, _ := d.set.Record(name)
			if rec.State != Stopped || d.starts[name] != 1 || rec.Seq != 7 {
				t.Fatalf("seed %d: %s is %s after %d starts and %d transitions", seed, name, rec.State, d.starts[name], rec.Seq)
			}
		}
	}
}

// One service cannot start: it fails all that require it, at whatever distance,
// each with the chain down to the cause, and nobody else.
func TestOneFailureFailsThoseThatRequireIt(t *testing.T) {
	for seed := range 300 {
		d := randomDAG(t, rand.New(rand.NewPCG(uint64(seed), 12)))
		bad := d.set.Names()[d.r.IntN(len(d.set.Names()))]
		d.send(Event{Kind: Start})
		for len(d.starting)+len(d.probing) > 0 {
			if i := slices.Index(d.starting, bad); i >= 0 {
				d.starting = slices.Delete(d.starting, i, i+1)
				d.send(Event{Kind: StartFailed, Name: bad, Run: d.runs[bad], Cause: "no such command"})
				d.send(Event{Kind: Cleaned, Name: bad, Run: d.runs[bad]})
				continue
			}
			d.startOne()
		}
		falls := map[string]bool{bad: true}
		for _, name := range d.set.Names() {
			for _, dep := range d.g.Needs(name) {
				falls[name] = falls[name] || falls[dep]
			}
			rec, _ := d.set.Record(name)
			want := Ready
			if falls[name] {
				want = Failed
			}
			if rec.State != want {
				t.Fatalf("seed %d, %s failed: %s is %s, not %s (%s)", seed, bad, name, rec.State, want, rec.Cause)
			}
			if falls[name] && !d.tellsChain(rec, bad) {
				t.Fatalf("seed %d: %s failed for %q, which is no chain to %s", seed, name, rec.Cause, bad)
			}
		}
	}
}

// tellsChain follows a cause: each link requires the next one, the last is bad.
func (d *dag) tellsChain(rec Record, bad string) bool {
	at, rest := rec.Name, rec.Cause
	for at != bad {
		next, ok := strings.CutPrefix(rest, "requires ")
		if !ok {
			return false
		}
		name, more, _ := strings.Cut(next, ", which ")
		if !d.g.Requires(at, name) {
			return false
		}
		at, rest = name, strings.TrimPrefix(more, "is failed: ")
	}
	return rest == "no such command"
}
