package onboot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/run"
)

// await waits for the end, as long as the policy's timeouts allow.
func (q *Sequence) await(ctx context.Context, step *Step, b *bundle.Bundle, c run.Container, n *probe.Notify) error {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t := b.Policy.Timeout; t > 0 {
		stop := time.AfterFunc(t, func() { cancel(fmt.Errorf("not done after its timeout of %s, killed", t)) })
		defer stop.Stop()
	}
	if b.Policy.Ready.Kind != bundle.ProbeStarted {
		go q.awaitReady(limited, b, c, n, cancel)
	}
	status, err := c.Wait(limited)
	if err == nil {
		if step.Status = &status; !status.Success() && run.OOMKilled(c) {
			step.OOM, step.Cause = true, run.OOMCause(c, status)
		}
		if !status.Success() {
			return errFailed
		}
		return nil
	}
	if ctx.Err() == nil && limited.Err() != nil {
		err = context.Cause(limited)
	}
	return errors.Join(err, killAndWait(c))
}

// awaitReady gives a step up that has not shown in time that it gets on.
func (q *Sequence) awaitReady(ctx context.Context, b *bundle.Bundle, c run.Container, n *probe.Notify, giveUp context.CancelCauseFunc) {
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
	return run.Listen(q.Host.Paths, b.Name)
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

// A step that takes longer than firstPatience is named on the console, and again
// each time it has taken twice as long, at the latest after lastPatience.
const (
	firstPatience = 5 * time.Second
	lastPatience  = 5 * time.Minute
)

// remind does so until the returned function is called.
func (q *Sequence) remind(b *bundle.Bundle) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	limit := ""
	if t := b.Policy.Timeout; t > 0 {
		limit = fmt.Sprintf(", its timeout is %s", t)
	}
	go func() {
		for pause, took := firstPatience, firstPatience; ; took += pause {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			q.Host.Say("waiting for %s %s to end (for %s%s)", q.Section, b.Name, took, limit)
			pause = min(took, lastPatience)
		}
	}()
	return stop
}
