package supervisor

import (
	"context"

	"slipway/pkg/reap"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/state"
)

// target is a life as probes see it.
func (s *Supervisor) target(l *life) probe.Target {
	b := s.bundles[l.name]
	return probe.Target{Proc: l.container.Ident(), Exec: func(ctx context.Context, argv []string) (reap.Status, error) {
		return s.Engine.Exec(ctx, b, argv)
	}}
}

// probeReady finds out when a service is ready. That it takes too long is for
// the timer to notice.
func (s *Supervisor) probeReady(l *life) {
	ctx, cancel := context.WithCancel(context.Background())
	l.stopProbe = cancel
	policy, t, notify := s.bundles[l.name].Policy, s.target(l), l.notify
	go func() {
		defer cancel()
		if notify.Await(ctx, policy.Ready, t, l.noteFailure) != nil {
			return
		}
		s.post(func() {
			s.report(s.submit(state.Event{Kind: state.BecameReady, Name: l.name, Run: l.run}))
		})
	}()
}

func (s *Supervisor) probeHealth(l *life) {
	l.endProbes()
	ctx, cancel := context.WithCancel(context.Background())
	l.stopProbe = cancel
	policy, t := s.bundles[l.name].Policy, s.target(l)
	go func() {
		defer cancel()
		err := probe.Watch(ctx, policy.Health, t, policy.HealthInterval)
		if err == nil {
			return
		}
		s.post(func() {
			s.report(s.submit(state.Event{Kind: state.Unhealthy, Name: l.name, Run: l.run, Cause: err.Error()}))
		})
	}()
}
