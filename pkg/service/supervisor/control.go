package supervisor

import (
	"context"
	"fmt"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
)

// remote is the supervisor as the control socket sees it: each call goes
// through the loop for what only the loop may touch, and reads files beside it.
type remote struct{ *Supervisor }

func (r remote) List(ctx context.Context) (l control.List, err error) {
	var uses []usage
	if err := r.Do(ctx, func() { l.Services, uses = r.statuses() }); err != nil {
		return l, err
	}
	r.complete(&l, uses)
	return l, nil
}

func (r remote) One(ctx context.Context, name string) (v control.Service, err error) {
	var u usage
	err = r.try(ctx, func() error {
		if err := r.set.Known(name); err != nil {
			return err
		}
		v, u = r.Status(name), r.usage(name)
		return nil
	})
	u.add(&v, map[string]cgroup.Memory{})
	return v, err
}

func (r remote) Ask(ctx context.Context, verb, name string, o control.Options) error {
	if verb != string(state.Stop) {
		if err := r.learn(ctx, name, o.Path); err != nil {
			return err
		}
	}
	return r.try(ctx, func() error { return r.submit(state.Event{Kind: state.Kind(verb), Name: name}) })
}

// Exec starts a program in a service that runs.
func (r remote) Exec(ctx context.Context, name string, p control.Program) (control.Session, error) {
	var b *bundle.Bundle
	err := r.try(ctx, func() error {
		b = r.bundles[name]
		if rec, _ := r.set.Record(name); rec.State != state.Running && rec.State != state.Ready && rec.State != state.Stopping {
			return fmt.Errorf("%s does not run: it is %s%s", name, rec.State, because(rec.Cause))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.Engine.Begin(b, container.Program{
		Args: p.Args, Env: p.Env, Terminal: p.Terminal,
		Stdin: p.Files[0], Stdout: p.Files[1], Stderr: p.Files[2],
	})
}

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return " (" + oneLine(cause) + ")"
}

// serve answers on the control socket for as long as the loop runs.
func (s *Supervisor) serve() (*control.Server, error) {
	keep, is := s.Holder.(control.Keeper)
	if !is {
		keep = nil
	}
	server, err := control.Listen(s.Guest.Paths.RunDir(machine.Control), remote{s}, keep)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := server.Serve(); err != nil {
			s.Guest.Say("control: %s", err)
		}
	}()
	return server, nil
}
