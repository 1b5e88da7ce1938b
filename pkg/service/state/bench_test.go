package state

import (
	"fmt"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// BenchmarkBoot is the first start of all services, four at a time, of which
// every tenth waits for the one before it. What one service costs may not grow
// with how many there are.
func BenchmarkBoot(b *testing.B) {
	for _, count := range []int{20, 200, 1000} {
		b.Run(fmt.Sprintf("services=%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bootAll(b, benchConfig(count))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/service")
		})
	}
}

// BenchmarkCrash is one service that crashes and comes back among others that
// just run: an end, its cleaning, the pause and the next start.
func BenchmarkCrash(b *testing.B) {
	for _, count := range []int{20, 200, 1000} {
		b.Run(fmt.Sprintf("services=%d", count), func(b *testing.B) {
			b.ReportAllocs()
			s := bootAll(b, benchConfig(count))
			now := time.Unix(1e9, 0)
			for b.Loop() {
				for _, kind := range []Kind{Ended, Cleaned, TimerRang, Started} {
					now = now.Add(time.Second)
					e := Event{Kind: kind, Name: "s000", Timer: Pause, Status: reap.Status{Code: 1}, Proc: reap.Ident{Pid: 7, Start: 1}}
					if _, err := s.Handle(now, e); err != nil {
						b.Fatal(err)
					}
				}
				if state := s.Peek("s000").State; state != Ready {
					b.Fatalf("a crashed service that was started again is %s", state)
				}
			}
		})
	}
}

func benchConfig(count int) Config {
	c := Config{Policies: map[string]bundle.Policy{}, Slots: 4, Jitter: func() float64 { return 0 }}
	for i := range count {
		p := bundle.Policy{Restart: bundle.RestartOnFailure, RestartDelay: time.Millisecond, RestartMaxDelay: time.Second}
		if i%10 == 9 {
			p.After = []string{fmt.Sprintf("s%03d", i-1)}
		}
		c.Policies[fmt.Sprintf("s%03d", i)] = p
	}
	return c
}

// bootAll answers every start with a process until all services are ready.
func bootAll(b *testing.B, c Config) *Set {
	s := New(c)
	now := time.Unix(1e6, 0)
	r, err := s.Handle(now, Event{Kind: Start})
	queue := r.Actions
	for len(queue) > 0 && err == nil {
		a := queue[0]
		queue = queue[1:]
		if a.Do != DoStart {
			continue
		}
		now = now.Add(time.Millisecond)
		r, err = s.Handle(now, Event{Kind: Started, Name: a.Name, Run: a.Run, Proc: reap.Ident{Pid: 7, Start: 1}})
		queue = append(queue, r.Actions...)
	}
	if err != nil || !s.Over() {
		b.Fatalf("the first start does not end: %v", err)
	}
	return s
}
