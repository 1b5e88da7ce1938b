package sequence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/reap"
	"slipway/pkg/service/probe"
)

// limit bounds a step, its start included, by its policy.
func limit(ctx context.Context, b *bundle.Bundle) (context.Context, context.CancelFunc) {
	t := b.Policy.Timeout
	if t == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, t, fmt.Errorf("not done after its timeout of %s", t))
}

// bounds are, beyond a step's own time, what a start that is ended may take to undo
// what it has done, and a clean-up. What takes longer hangs in the kernel.
type bounds struct{ undo, clean time.Duration }

// fill sets what no test has set.
func (b *bounds) fill() {
	b.undo = cmp.Or(b.undo, 20*time.Second)
	b.clean = cmp.Or(b.clean, time.Minute)
}

// begin starts the container. A start that hangs is left behind, and undone when
// it comes back.
func (q *Sequence) begin(ctx context.Context, b *bundle.Bundle, io container.IO) (container.Instance, error) {
	type started struct {
		c   container.Instance
		err error
	}
	over := make(chan started, 1)
	go func() {
		c, err := q.Engine.Start(ctx, b, io)
		over <- started{c, err}
	}()
	select {
	case s := <-over:
		return s.c, s.err
	case <-ctx.Done():
	}
	select {
	case s := <-over:
		return s.c, s.err
	case <-time.After(q.bounds.undo):
	}
	go func() {
		if s := <-over; s.c != nil {
			if err := errors.Join(killAndWait(s.c), s.c.Cleanup()); err != nil {
				q.Guest.Say("%s %s: %s", q.Section, b.Name, err)
			}
		}
	}()
	return nil, fmt.Errorf("%w: its start hangs, left behind", context.Cause(ctx))
}

// end cleans up. What hangs is left behind: the steps that follow do not wait.
func (q *Sequence) end(b *bundle.Bundle, c container.Instance) error {
	over := make(chan error, 1)
	go func() { over <- c.Cleanup() }()
	maxWait := max(q.bounds.clean, b.Policy.Timeout)
	select {
	case err := <-over:
		return err
	case <-time.After(maxWait):
		return fmt.Errorf("clean up: not done after %s, left behind", maxWait)
	}
}

// await waits for the end, as long as ctx and the policy's probe allow. Boot is
// what the whole sequence ends with.
func (q *Sequence) await(boot, ctx context.Context, step *Step, b *bundle.Bundle, c container.Instance, n *probe.Notify) error {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if b.Policy.Ready.Kind != bundle.ProbeStarted {
		go q.awaitReady(limited, b, c, n, cancel)
	}
	status, err := c.Wait(limited)
	if err == nil {
		if step.Status = &status; !status.Success() && container.OOMKilled(c) {
			step.OOM, step.Cause = true, container.OOMCause(c, status)
		}
		if !status.Success() {
			return errFailed
		}
		return nil
	}
	switch {
	case boot.Err() != nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("%w, killed", context.Cause(ctx))
	case limited.Err() != nil:
		err = context.Cause(limited)
	}
	return errors.Join(err, killAndWait(c))
}

// awaitReady gives a step up that has not shown in time that it gets on.
func (q *Sequence) awaitReady(ctx context.Context, b *bundle.Bundle, c container.Instance, n *probe.Notify, giveUp context.CancelCauseFunc) {
	p := b.Policy
	limited, cancel := context.WithTimeout(ctx, p.ReadyTimeout)
	defer cancel()
	t := probe.Target{Proc: c.Ident(), Exec: func(ctx context.Context, argv []string) (reap.Status, error) {
		return q.Engine.Exec(ctx, b, argv)
	}}
	if err := n.Await(limited, p.Ready, t, nil); err != nil && ctx.Err() == nil {
		giveUp(fmt.Errorf("not ready after %s, killed: %w", p.ReadyTimeout, err))
	}
}

// listen makes the socket of a step that says itself when it is ready.
func (q *Sequence) listen(b *bundle.Bundle) (*probe.Notify, error) {
	if b.Policy.Ready.Kind != bundle.ProbeNotify {
		return nil, nil
	}
	return probe.OpenNotify(q.Guest.Paths.RunDir(), b.Name)
}

// errFailed stands for a status that is not 0, which says it all.
var errFailed = errors.New("failed")

// deathTime is how long the kernel has to end a killed container.
const deathTime = 10 * time.Second

func killAndWait(c container.Instance) error {
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

// A step that takes longer than firstReminder is named on the console, and again
// each time it has taken twice as long, at the latest after longestPause.
const (
	firstReminder = 5 * time.Second
	longestPause  = 5 * time.Minute
)

// remind does so until the returned function is called.
func (q *Sequence) remind(b *bundle.Bundle) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	limit := ""
	if t := b.Policy.Timeout; t > 0 {
		limit = fmt.Sprintf(", its timeout is %s", t)
	}
	go func() {
		for pause, took := firstReminder, firstReminder; ; took += pause {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			q.Guest.Say("waiting for %s %s to end (for %s%s)", q.Section, b.Name, took, limit)
			pause = min(took, longestPause)
		}
	}()
	return stop
}
