package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// play sends events to services whose policies are given, with a clock that goes
// on by a second before each, and returns every transition: who, to what, after
// how long in the state before, and why.
func play(t *testing.T, policies map[string]bundle.Policy, events ...Event) string {
	t.Helper()
	s := New(Config{Policies: policies, Slots: 4, Jitter: func() float64 { return 0 }})
	now := time.Unix(1000, 0)
	var told []string
	for _, e := range events {
		now = now.Add(time.Second)
		r, err := s.Handle(now, e)
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		for _, c := range r.Changes {
			line := fmt.Sprintf("%s: %s", c.Name, c.To)
			if c.Duration > 0 {
				line += " after " + c.Duration.String()
			}
			if c.Cause != "" {
				line += " (" + c.Cause + ")"
			}
			told = append(told, line)
		}
		for _, a := range r.Actions {
			switch {
			case a.Do == DoKill, a.Do == DoWatch, a.Do == DoCancel, a.Do == DoMachine:
				told = append(told, fmt.Sprintf("do %s %s", a.Do, a.Name))
			case a.Do == DoSetTimer && a.Timer == Pause:
				told = append(told, "pause "+a.For.String())
			}
		}
	}
	return strings.Join(told, "\n")
}

func policy(change func(*bundle.Policy)) bundle.Policy {
	p := bundle.DefaultPolicy(bundle.Services)
	change(&p)
	return p
}

var (
	start   = Event{Kind: Start}
	started = Event{Kind: Started, Name: "a", Proc: reap.Ident{Pid: 1, Start: 1}}
	crashed = Event{Kind: Ended, Name: "a", Status: reap.Status{Code: 1}}
	cleaned = Event{Kind: Cleaned, Name: "a"}
	paused  = Event{Kind: TimerRang, Name: "a", Timer: Pause}
)

func TestSequences(t *testing.T) {
	for name, c := range map[string]struct {
		policies map[string]bundle.Policy
		events   []Event
		want     string
	}{
		"a crash, a pause that grows, and health that ends it": {
			map[string]bundle.Policy{"a": policy(func(p *bundle.Policy) { p.Health = bundle.Probe{Kind: bundle.ProbeTCP, Port: 1} })},
			[]Event{start, started, crashed, cleaned, paused, started, crashed, cleaned},
			`a: waiting
a: starting
a: running after 1s
a: ready
do watch a
a: cleaning after 1s (exit status 1)
a: backoff after 1s (exit status 1)
pause 100ms
a: waiting after 1s (exit status 1)
a: starting
a: running after 1s
a: ready
do watch a
a: cleaning after 1s (exit status 1)
a: backoff after 1s (exit status 1)
pause 200ms`,
		},
		"not ready in time, deaf, killed": {
			map[string]bundle.Policy{"a": policy(func(p *bundle.Policy) {
				p.Ready = bundle.Probe{Kind: bundle.ProbeTCP, Port: 80}
				p.Restart = bundle.RestartNo
			})},
			[]Event{
				start, started, {Kind: TimerRang, Name: "a", Timer: ReadyTimeout, Cause: "connection refused"},
				{Kind: TimerRang, Name: "a", Timer: StopTimeout}, {Kind: Ended, Name: "a", Status: reap.Status{Signal: 9}}, cleaned,
			},
			`a: waiting
a: starting
a: running after 1s
a: stopping after 1s (not ready after 1m0s: connection refused)
do kill a
a: cleaning after 2s (not ready after 1m0s: connection refused)
a: failed after 1s (not ready after 1m0s: connection refused)`,
		},
		"ill, and given up for the machine, with one that requires it": {
			map[string]bundle.Policy{
				"a": policy(func(p *bundle.Policy) { p.Restart, p.OnFailure = bundle.RestartNo, bundle.Reboot }),
				"b": policy(func(p *bundle.Policy) { p.Requires = []string{"a"} }),
			},
			[]Event{
				start, started, {Kind: Started, Name: "b", Proc: reap.Ident{Pid: 2, Start: 1}},
				{Kind: Unhealthy, Name: "a", Cause: "3 checks in a row failed"}, crashed, cleaned,
				{Kind: Ended, Name: "b", Status: reap.Status{Signal: 15}}, {Kind: Cleaned, Name: "b"},
			},
			`a: waiting
a: starting
b: waiting
a: running after 1s
a: ready
b: starting after 1s
b: running after 1s
b: ready
a: stopping after 2s (unhealthy: 3 checks in a row failed)
a: cleaning after 1s (unhealthy: 3 checks in a row failed)
a: failed after 1s (unhealthy: 3 checks in a row failed)
b: stopping after 3s (requires a, which is failed: unhealthy: 3 checks in a row failed)
do machine a
b: cleaning after 1s (killed by SIGTERM)
b: failed after 1s (requires a, which is failed: unhealthy: 3 checks in a row failed)`,
		},
		"more restarts than the limit allows": {
			map[string]bundle.Policy{"a": policy(func(p *bundle.Policy) { p.RestartLimit = bundle.Limit{Count: 1, Window: time.Minute} })},
			[]Event{start, {Kind: StartFailed, Name: "a", Cause: "no such file"}, cleaned, paused, {Kind: StartFailed, Name: "a", Cause: "no such file"}, cleaned},
			`a: waiting
a: starting
a: cleaning after 1s (no such file)
a: backoff after 1s (no such file)
pause 100ms
a: waiting after 1s (no such file)
a: starting
a: cleaning after 1s (no such file)
a: failed after 1s (no such file, more than 1 restarts in 1m0s)`,
		},
		"called off while it starts, and asked for again": {
			map[string]bundle.Policy{"a": policy(func(*bundle.Policy) {})},
			[]Event{start, {Kind: Stop, Name: "a"}, {Kind: StartFailed, Name: "a", Cause: "canceled"}, cleaned, {Kind: Start, Name: "a"}},
			`a: waiting
a: starting
do cancel a
a: cleaning after 2s (canceled)
a: stopped after 1s (canceled)
a: waiting after 1s (start was asked for)
a: starting`,
		},
		"it ends well and stays down": {
			map[string]bundle.Policy{"a": policy(func(*bundle.Policy) {})},
			[]Event{start, started, {Kind: Ended, Name: "a"}, cleaned, {Kind: Shutdown}},
			`a: waiting
a: starting
a: running after 1s
a: ready
a: cleaning after 1s (exit status 0)
a: exited after 1s (exit status 0)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := play(t, c.policies, c.events...); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The pause grows to its longest, and begins anew when a run was ready for a
// minute, not when it was for less.
func TestPauses(t *testing.T) {
	s := New(Config{Policies: map[string]bundle.Policy{"a": policy(func(p *bundle.Policy) { p.RestartMaxDelay = time.Second })},
		Slots: 1, Jitter: func() float64 { return 0 }})
	now := time.Unix(1000, 0)
	send := func(e Event) (pause time.Duration) {
		r := must(s.Handle(now, e))
		for _, a := range r.Actions {
			if a.Timer == Pause {
				pause = a.For
			}
		}
		return pause
	}
	send(start)
	var got []time.Duration
	for _, up := range []time.Duration{0, 0, 0, 0, 0, 59 * time.Second, time.Minute, 0} {
		send(started)
		now = now.Add(up)
		send(crashed)
		got = append(got, send(cleaned))
		send(paused)
	}
	if text := fmt.Sprint(got); text != "[100ms 200ms 400ms 800ms 1s 1s 100ms 200ms]" {
		t.Errorf("pauses %s", text)
	}
}

// A new supervisor whose clock was set back, or forth, meanwhile neither waits for
// years nor counts back.
func TestClockSetBetweenSupervisors(t *testing.T) {
	then := time.Unix(1<<30, 0)
	for _, jump := range []time.Duration{-1 << 55, -time.Second, 0, time.Second, 1 << 55} {
		s := New(Config{Policies: map[string]bundle.Policy{"a": policy(func(*bundle.Policy) {})}, Slots: 1, Jitter: func() float64 { return 0 }})
		now := then.Add(jump)
		r := s.Restore(now, Record{Name: "a", State: Backoff, Wanted: true, Since: then, Resume: then.Add(5 * time.Second)}, Found{})
		if len(r.Actions) != 1 || r.Actions[0].For < 0 || r.Actions[0].For > 30*time.Second {
			t.Errorf("clock moved by %s: %+v", jump, r.Actions)
		}
		for _, c := range must(s.Handle(now, paused)).Changes {
			if c.Duration < 0 {
				t.Errorf("clock moved by %s: %+v", jump, c)
			}
		}
	}
}
