package container

import (
	"context"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/reap"
)

// Runner is an Engine as those see it who decide what runs when. Their tests have
// one of their own.
type Runner interface {
	// Start prepares, creates, wires and starts. On an error nothing is left.
	Start(ctx context.Context, b *bundle.Bundle, io IO) (Instance, error)
	// Attach takes over a container that an earlier supervisor started.
	Attach(b *bundle.Bundle, id reap.Ident) (Instance, error)
	// Clean removes what a dead predecessor left, the container included. It
	// can be called at any time, and again.
	Clean(b *bundle.Bundle) error
	// Find says what is there of a container whose start may have been cut
	// short: which process is its first one, and whether its program was
	// started. The Ident is zero when there is none. It waits for a start that is
	// still under way, whose runtime waits hears of; when ctx ends, that is ended.
	Find(ctx context.Context, b *bundle.Bundle, waits func(pid int)) (id reap.Ident, started bool, err error)
	// Exec runs a program in a running container and waits for its end.
	Exec(ctx context.Context, b *bundle.Bundle, argv []string) (reap.Status, error)
	// Begin starts a program in a running container, with streams.
	Begin(b *bundle.Bundle, p Program) (Session, error)
}

// Instance is a container of a Runner, one that runs or ran.
type Instance interface {
	// Ident is its first process.
	Ident() reap.Ident
	// Runtime is the OCI runtime that runs it, by name or path.
	Runtime() string
	// Group is its control group.
	Group() cgroup.Group
	// Wait is for a process that is an ancestor and subreaper itself.
	Wait(ctx context.Context) (reap.Status, error)
	Signal(sig unix.Signal) error
	// Kill ends every process of it.
	Kill() error
	// Cleanup undoes what Start did.
	Cleanup() error
}

// Runner is the Engine behind that interface.
func (e *Engine) Runner() Runner { return runner{e} }

type runner struct{ *Engine }

// A nil *Container would be an Instance that is not nil.
func (r runner) Start(ctx context.Context, b *bundle.Bundle, io IO) (Instance, error) {
	c, err := r.Engine.Start(ctx, b, io)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (r runner) Attach(b *bundle.Bundle, id reap.Ident) (Instance, error) {
	c, err := r.Engine.Attach(b, id)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (r runner) Begin(b *bundle.Bundle, p Program) (Session, error) {
	s, err := r.Engine.begin(b, p)
	if err != nil {
		return nil, err
	}
	return s, nil
}
