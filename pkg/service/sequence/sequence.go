// Package sequence runs the containers of a section that come one after another:
// onboot on the way up, onshutdown on the way down. Each is gone, with all it
// had mounted, before the next one begins. It reports how each ended, and what
// a failure means for the boot is for the container's policy to say.
package sequence

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/log/store"
	"slipway/pkg/machine"
	"slipway/pkg/service/guest"
	"slipway/pkg/timeline"
)

// Sequence is one section on its way.
type Sequence struct {
	Guest   *guest.Guest
	Engine  container.Runner
	Section bundle.Section
	// End carries out what a failure means for the machine, for this cause; it
	// does not return before the machine goes down, except in tests.
	End func(policy bundle.OnFailure, cause string)
	// Carry brings logs and journal to a disk; nil is Carry of this package. It
	// may wait for the disk for ever.
	Carry func(last bool) error

	bounds bounds // a test's; zero: those that a machine has

	steps []Step
	disk  guest.Aside
	hung  bool // the disk did not answer
}

// Run runs all and tells whether all went well.
func (q *Sequence) Run(ctx context.Context) (ok bool, err error) {
	q.bounds.fill()
	dir := q.Guest.Paths.Section(q.Section)
	names, err := bundle.List(dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		q.steps = append(q.steps, Step{Name: name, State: Pending})
	}
	ok = true
	if q.Section == bundle.Onshutdown {
		q.tellLimit(names)
	}
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		policy := q.one(ctx, &q.steps[i], filepath.Join(dir, name))
		q.carry(i == len(names)-1)
		if q.steps[i].State != Failed {
			continue
		}
		ok = false
		if policy != bundle.Continue {
			q.Guest.Say("%s %s: failed, and its policy is to %s", q.Section, name, policy)
			q.awaitDisk()
			q.End(policy, fmt.Sprintf("%s %s: %s", q.Section, name, q.steps[i].Cause))
		}
	}
	q.awaitDisk()
	return ok, nil
}

// tellLimit tells PID 1 how long all steps may take. One that cannot be read
// takes no time.
func (q *Sequence) tellLimit(names []string) {
	var sum time.Duration
	for _, name := range names {
		if b, err := bundle.Load(q.Section, filepath.Join(q.Guest.Paths.Section(q.Section), name)); err == nil {
			sum += b.Policy.Timeout + deathTime
		}
	}
	if err := machine.WriteLimit(q.Guest.Paths.RunDir(), string(q.Section), sum); err != nil {
		q.Guest.Say("%s: %s", q.Section, err)
	}
}

// one runs one step and returns what its failure means.
func (q *Sequence) one(ctx context.Context, step *Step, dir string) bundle.OnFailure {
	q.Guest.Say("%s %s: from %s", q.Section, step.Name, dir)
	phase := timeline.PhaseOnboot
	if q.Section == bundle.Onshutdown {
		phase = timeline.PhaseShutdown
	}
	end := q.Guest.Timeline.Begin(timeline.StepRun, timeline.Phase(phase), timeline.Container(step.Name))
	step.State, step.Begin = Running, timeline.Now()
	q.save()
	policy := bundle.Continue
	b, err := bundle.Load(q.Section, dir)
	if err == nil {
		policy = b.Policy.OnFailure
		for _, w := range b.Warnings {
			q.Guest.Say("%s %s: warning: %s", q.Section, step.Name, w)
		}
		err = q.run(ctx, step, b)
	}
	step.finish(err)
	// It is told of the container anyway.
	step.Cause = strings.TrimPrefix(step.Cause, fmt.Sprintf("%s %s: ", q.Section, step.Name))
	end(err)
	q.Guest.Say("%s %s: %s", q.Section, step.Name, step)
	q.save()
	return policy
}

// run is the life of one container.
func (q *Sequence) run(ctx context.Context, step *Step, b *bundle.Bundle) error {
	notify, err := q.listen(b)
	if err != nil {
		return err
	}
	w, err := store.Open(b, q.logOptions())
	if err != nil {
		return errors.Join(err, notify.Close())
	}
	stop := q.remind(b)
	limited, cancel := limit(ctx, b)
	defer cancel()
	c, startErr := q.begin(limited, b, container.IO{Stdout: w.Stdout(), Stderr: w.Stderr()})
	err = errors.Join(startErr, w.Started())
	if c != nil {
		err = errors.Join(err, q.await(ctx, limited, step, b, c, notify))
		if left := container.Left(c, b.Spec); left != "" {
			q.Guest.Say("%s %s: has left %s behind, which ends with it: what is to stay is a service", q.Section, b.Name, left)
		}
		err = errors.Join(err, q.end(b, c))
	}
	stop()
	err = errors.Join(err, notify.Close())
	if closeErr := w.Close(); closeErr != nil {
		q.Guest.Say("%s %s: %s", q.Section, b.Name, closeErr)
	}
	q.dump(b, startErr)
	return err
}
