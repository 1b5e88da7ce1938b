package state

import (
	"slices"
	"testing"
	"time"

	"slipway/pkg/bundle"
)

// A start that hangs leaves its place to others, has it again when it gets on, and
// leaves none twice; so it is for a supervisor that comes in between, too.
func TestStartThatHangsHasNoPlace(t *testing.T) {
	all := map[string]bundle.Policy{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		all[name] = policy(func(*bundle.Policy) {})
	}
	now := time.Unix(1000, 0)
	config := Config{Policies: all, Slots: 1, Jitter: func() float64 { return 0 }}
	s := New(config)
	send := func(e Event, want ...string) {
		t.Helper()
		var begun []string
		for _, a := range must(s.Handle(now, e)).Actions {
			if a.Do == DoStart {
				begun = append(begun, a.Name)
			}
		}
		if !slices.Equal(begun, want) {
			t.Fatalf("%s of %q begins %q, want %q", e.Kind, e.Name, begun, want)
		}
	}
	hangs := func(name, in string) Event { return Event{Kind: StartHangs, Name: name, Cause: in} }
	send(Event{Kind: Start}, "a")
	send(hangs("a", "disk vda"), "b")
	send(hangs("a", "disk vdb"))
	send(hangs("b", "disk vda"), "c")
	send(hangs("a", ""))
	send(Event{Kind: Started, Name: "c"}) // a is in its place
	send(Event{Kind: Started, Name: "a"}, "d")
	send(Event{Kind: Started, Name: "b"})

	was := s
	s = New(config)
	for _, name := range was.Names() {
		rec, _ := was.Record(name)
		if name == "d" {
			rec.Hangs = "disk vda"
		}
		s.Restore(now, rec, Found{Running: rec.State == Ready})
	}
	send(Event{Kind: Start}, "e")
	send(Event{Kind: FoundStart, Name: "d", Found: Found{Running: true}})
	if d := s.Peek("d"); d.State != Ready || d.Hangs != "" {
		t.Errorf("%s, hangs: %q", d.State, d.Hangs)
	}
}

// What does not die when it is killed is killed again as long as the machine runs,
// and left behind when it goes down.
func TestLeftBehind(t *testing.T) {
	none := policy(func(p *bundle.Policy) { p.StopTimeout = 10 * time.Second })
	rang := Event{Kind: TimerRang, Name: "a", Timer: StopTimeout}
	got := play(t, map[string]bundle.Policy{"a": none}, start, started, Event{Kind: Stop, Name: "a"}, rang, rang, rang)
	want := `a: waiting
a: starting
a: running after 1s
a: ready
a: stopping after 1s (stop was asked for)
do kill a
do kill a
do kill a`
	if got != want {
		t.Errorf("while it runs:\n%s", got)
	}
	got = play(t, map[string]bundle.Policy{"a": none}, start, started, Event{Kind: Shutdown}, rang, rang, cleaned)
	want = `a: waiting
a: starting
a: running after 1s
a: ready
a: stopping after 1s (shutdown)
do kill a
a: cleaning after 2s (does not die, left behind)
a: stopped after 1s (does not die, left behind)`
	if got != want {
		t.Errorf("when it goes down:\n%s", got)
	}
}
