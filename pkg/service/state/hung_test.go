package state

import (
	"testing"
	"time"

	"slipway/pkg/bundle"
)

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
