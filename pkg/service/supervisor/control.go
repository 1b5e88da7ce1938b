package supervisor

import (
	"context"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/pkg/service/status"
)

// remote is the supervisor as the control socket sees it: each call goes
// through the loop.
type remote struct{ *Supervisor }

func (r remote) List(ctx context.Context) (l status.List, err error) {
	err = r.Do(ctx, func() { l = r.Supervisor.List() })
	return l, err
}

func (r remote) One(ctx context.Context, name string) (v status.Service, err error) {
	var unknown error
	err = r.Do(ctx, func() {
		if unknown = r.set.Known(name); unknown == nil {
			v = r.Status(name)
		}
	})
	if err == nil {
		err = unknown
	}
	return v, err
}

func (r remote) Ask(ctx context.Context, verb, name string) error {
	var refused error
	err := r.Do(ctx, func() { refused = r.submit(state.Event{Kind: state.Kind(verb), Name: name}) })
	if err == nil {
		err = refused
	}
	return err
}

// serve answers on the control socket for as long as the loop runs.
func (s *Supervisor) serve() (*control.Server, error) {
	server, err := control.Listen(s.Host.Paths.Own("control.sock"), remote{s})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(); err != nil {
			s.Host.Say("control: %s", err)
		}
	}()
	return server, nil
}
