package cli

import (
	"context"
	"log/slog"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/runtime"
	"slipway/pkg/keeper"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/probe"
	"slipway/pkg/timeline"
)

// newRunner makes an Engine of the machine's OCI runtime. If keeperDir is set, the
// containers become children of a keeper that has its ledger there; otherwise
// they are children of this process, which then is their subreaper.
func newRunner(g *guest.Guest, reaper *reap.Reaper, keeperDir string) container.Runner {
	e := &container.Engine{
		Runtimes: runtimes(g.Paths, g.Options, reaper),
		Reaper:   reaper,
		RunDir:   g.Paths.RunDir(),
		Log:      slog.New(guest.NewHandler(g)),
		Limits:   limits(g, keeperDir != ""),
		Mutate: func(b *bundle.Bundle, spec *specs.Spec) {
			probe.AddNotify(g.Paths.RunDir(), b, spec)
		},
		Observe: func(b *bundle.Bundle, p container.Phase, took time.Duration, err error) {
			observe(g.Timeline, b, p, took, err)
		},
	}
	if keeperDir != "" {
		e.Await = func(ctx context.Context, id reap.Ident) (reap.Status, error) {
			exit, err := keeper.Wait(ctx, keeperDir, id)
			return exit.Status, err
		}
	}
	return e.Runner()
}

// runtimes are the machine's OCI runtimes.
func runtimes(p guest.Paths, o guest.Options, reaper *reap.Reaper) *runtime.Machine {
	m := &runtime.Machine{Wanted: o.Runtime}
	for _, k := range runtime.Kinds {
		r := &runtime.Runtime{Kind: k, Path: p.Runc, Root: p.RuncRoot, Reaper: reaper, Debug: o.RuncDebug, DebugOut: os.Stdout}
		if k.Name == "crun" {
			r.Path, r.Root = p.Crun, p.CrunRoot
		}
		m.Runtimes = append(m.Runtimes, r)
	}
	return m
}

var timelinePhases = map[bundle.Section]string{
	bundle.Onboot:     timeline.PhaseOnboot,
	bundle.Onshutdown: timeline.PhaseShutdown,
	bundle.Services:   timeline.PhaseServices,
}

var timelineSteps = map[container.Phase]string{
	container.PhasePrepare: timeline.StepPrepare,
	container.PhaseCreate:  timeline.StepCreate,
	container.PhaseWire:    timeline.StepWire,
	container.PhaseStart:   timeline.StepStart,
}

// observe enters a phase of a start, which has just ended, in the timeline.
func observe(r *timeline.Recorder, b *bundle.Bundle, p container.Phase, took time.Duration, err error) {
	step, known := timelineSteps[p]
	if !known {
		return // cleaning up is no part of a start
	}
	if p == container.PhaseStart && !b.Runtime.NeedsWiring() {
		step = timeline.StepCreate // and started, which takes the smaller part
	}
	now := timeline.Now()
	r.Span(step, now-took, now, err, timeline.Phase(timelinePhases[b.Section]), timeline.Container(b.Name),
		timeline.After(append(b.Policy.After, b.Policy.Requires...)...))
}
