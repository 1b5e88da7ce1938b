// Package onboot runs the containers of a section that come one after another:
// onboot on the way up, onshutdown on the way down. Each is gone, with all it
// had mounted, before the next one begins. It reports how each ended, and what
// a failure means for the boot is for the container's policy to say.
package onboot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/logs"
	"slipway/pkg/service/host"
	"slipway/pkg/service/run"
	"slipway/pkg/timeline"
)

// Sequence is one section on its way.
type Sequence struct {
	Host    *host.Host
	Engine  run.Engine
	Section bundle.Section
	// End carries out what a failure means for the machine; it does not return
	// before the machine goes down, except in tests.
	End func(bundle.OnFailure)

	steps []Step
}

// Run runs all and tells whether all went well.
func (q *Sequence) Run(ctx context.Context) (ok bool, err error) {
	dir := q.Host.Paths.Section(q.Section)
	names, err := bundle.List(dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		q.steps = append(q.steps, Step{Name: name, State: Pending})
	}
	ok = true
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		policy := q.one(ctx, &q.steps[i], filepath.Join(dir, name))
		if q.steps[i].State != Failed {
			continue
		}
		ok = false
		if policy != bundle.Continue {
			q.Host.Say("%s %s: failed, and its policy is to %s", q.Section, name, policy)
			q.End(policy)
		}
	}
	if len(names) > 0 {
		// It comes late because an onboot container may mount over /var.
		err = logs.Link(q.Section, q.Host.Paths.Logs())
	}
	return ok, err
}

// one runs one step and returns what its failure means.
func (q *Sequence) one(ctx context.Context, step *Step, dir string) bundle.OnFailure {
	q.Host.Say("%s %s: from %s", q.Section, step.Name, dir)
	phase := timeline.PhaseOnboot
	if q.Section == bundle.Onshutdown {
		phase = timeline.PhaseShutdown
	}
	end := q.Host.Timeline.Begin(timeline.StepRun, timeline.Phase(phase), timeline.Container(step.Name))
	step.State, step.Begin = Running, time.Now()
	q.save()
	policy := bundle.Continue
	b, err := bundle.Load(q.Section, dir)
	if err == nil {
		policy = b.Policy.OnFailure
		for _, w := range b.Warnings {
			q.Host.Say("%s %s: warning: %s", q.Section, step.Name, w)
		}
		err = q.run(ctx, step, b)
	}
	step.finish(err)
	// It is told of the container anyway.
	step.Cause = strings.TrimPrefix(step.Cause, fmt.Sprintf("%s %s: ", q.Section, step.Name))
	end(err)
	q.Host.Say("%s %s: %s", q.Section, step.Name, step)
	q.save()
	return policy
}

// run is the life of one container.
func (q *Sequence) run(ctx context.Context, step *Step, b *bundle.Bundle) error {
	w, err := logs.Open(b, q.logOptions())
	if err != nil {
		return err
	}
	c, err := q.Engine.Start(ctx, b, run.IO{Stdout: w.Stdout(), Stderr: w.Stderr()})
	err = errors.Join(err, w.Started())
	if c != nil {
		err = errors.Join(err, q.await(ctx, step, b, c))
		err = errors.Join(err, c.Cleanup())
	}
	if closeErr := w.Close(); closeErr != nil {
		q.Host.Say("%s %s: %s", q.Section, b.Name, closeErr)
	}
	q.dump(b)
	return err
}

// await waits for the end, at most for the policy's timeout.
func (q *Sequence) await(ctx context.Context, step *Step, b *bundle.Bundle, c run.Container) error {
	limited := ctx
	if t := b.Policy.Timeout; t > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	status, err := c.Wait(limited)
	switch {
	case err == nil:
		step.Status = &status
		if !status.Success() {
			return errFailed
		}
		return nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("not done after its timeout of %s, killed", b.Policy.Timeout)
	}
	return errors.Join(err, killAndWait(c))
}

// errFailed stands for a status that is not 0, which says it all.
var errFailed = errors.New("failed")

// deathTime is how long the kernel has to end a killed container.
const deathTime = 10 * time.Second

func killAndWait(c run.Container) error {
	if err := c.Kill(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), deathTime)
	defer cancel()
	if _, err := c.Wait(ctx); err != nil {
		return fmt.Errorf("its process does not end: %w", err)
	}
	return nil
}
