package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/runc"
	"slipway/pkg/keeper"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
	"slipway/pkg/timeline"
)

// New makes an Engine of the machine's OCI runtime. If keeperDir is set, the
// containers become children of a keeper that has its ledger there; otherwise
// they are children of this process, which then is their subreaper.
func New(g *guest.Guest, reaper *reap.Reaper, keeperDir string) Engine {
	e := &container.Engine{
		Runtime: &runc.Runtime{
			Path: g.Paths.Runc, Root: g.Paths.RuncRoot, Reaper: reaper,
			Debug: g.Options.RuncDebug, DebugOut: os.Stdout,
		},
		Reaper: reaper,
		RunDir: g.Paths.Own(),
		Log:    slog.New(guest.NewHandler(g)),
		Limits: limits(g, keeperDir != ""),
		Mutate: func(b *bundle.Bundle, spec *Spec) (bool, error) { return addNotify(g.Paths, b, spec), nil },
	}
	if keeperDir != "" {
		e.Await = func(ctx context.Context, id reap.Ident) (reap.Status, error) {
			exit, err := keeper.Wait(ctx, keeperDir, id)
			return exit.Status, err
		}
	}
	e.Observe = func(b *bundle.Bundle, p container.Phase, began time.Time, took time.Duration, err error) {
		observe(g.Timeline, b, p, took, err)
	}
	return engine{e}
}

var phases = map[bundle.Section]string{
	bundle.Onboot:     timeline.PhaseOnboot,
	bundle.Onshutdown: timeline.PhaseShutdown,
	bundle.Services:   timeline.PhaseServices,
}

var steps = map[container.Phase]string{
	container.PhasePrepare: timeline.StepPrepare,
	container.PhaseCreate:  timeline.StepCreate,
	container.PhaseWire:    timeline.StepWire,
	container.PhaseStart:   timeline.StepStart,
}

// observe enters a phase of a start, which has just ended, in the timeline.
func observe(r *timeline.Recorder, b *bundle.Bundle, p container.Phase, took time.Duration, err error) {
	step, known := steps[p]
	if !known {
		return // cleaning up is no part of a start
	}
	if p == container.PhaseStart && !b.Runtime.NeedsWiring() {
		step = timeline.StepCreate // and started, which takes the smaller part
	}
	now := timeline.Now()
	r.Span(step, now-took, now, err, timeline.Phase(phases[b.Section]), timeline.Container(b.Name),
		timeline.After(append(b.Policy.After, b.Policy.Requires...)...))
}

// engine is package container's, seen from here.
type engine struct{ *container.Engine }

func (e engine) Start(ctx context.Context, b *bundle.Bundle, io IO) (Container, error) {
	c, err := e.Engine.Start(ctx, b, io)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (e engine) Attach(b *bundle.Bundle, id reap.Ident) (Container, error) {
	c, err := e.Engine.Attach(b, id)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Find waits for an OCI runtime that still works for the container, on behalf
// of a supervisor that is gone, and then reads what it has left.
func (e engine) Find(ctx context.Context, b *bundle.Bundle) (reap.Ident, bool, error) {
	if err := awaitRuntime(ctx, b.Name); err != nil {
		return reap.Ident{}, false, err
	}
	id, err := e.Runtime.ReadState(b.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return reap.Ident{}, false, nil
	}
	if err != nil {
		return reap.Ident{}, false, fmt.Errorf("find %s: %w", b.Name, err)
	}
	// A created container waits for its start on this FIFO, which runc's
	// start removes.
	_, err = os.Lstat(e.Runtime.StateDir(b.Name) + "/exec.fifo")
	return id, errors.Is(err, fs.ErrNotExist), nil
}
