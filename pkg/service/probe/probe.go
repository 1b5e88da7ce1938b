// Package probe finds out whether a container is ready or healthy, from outside
// of it: by a connection in its network namespace, by a file or socket below
// its root, by a program run in it, or by what it says itself (Notify).
package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// Target is the container to look at.
type Target struct {
	Proc reap.Ident // its first process
	// Exec runs a program in it.
	Exec func(ctx context.Context, argv []string) (reap.Status, error)

	hurry *limits // of a test; nil: those that a machine has
}

// limits are how long a check may take.
type limits struct {
	check time.Duration
	exec  time.Duration // of a program, which a runtime has to start first
	// overdue is how much later a check must end that ends by its own time, such as
	// one whose program has to be killed. What takes longer hangs in the kernel, as on
	// a file system that does not answer.
	overdue time.Duration
}

func (t Target) limits() limits {
	if t.hurry != nil {
		return *t.hurry
	}
	return limits{check: 2 * time.Second, exec: 10 * time.Second, overdue: 3 * time.Second}
}

// limit is how long a check may take before it ends by itself.
func (t Target) limit(p bundle.Probe) time.Duration {
	if p.Kind == bundle.ProbeExec {
		return t.limits().exec
	}
	return t.limits().check
}

// checker checks once at a time: a check that hangs keeps a thread, and is joined by no
// other.
type checker struct{ over chan error } // of the check under way; nil: there is none

func (c *checker) check(ctx context.Context, p bundle.Probe, t Target) error {
	began := c.over == nil
	if began {
		over := make(chan error, 1)
		go func() { over <- Check(ctx, p, t) }()
		c.over = over
	}
	limit := t.limit(p) + t.limits().overdue
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case err := <-c.over:
		c.over = nil
		if !began {
			return c.check(ctx, p, t) // that was of long ago
		}
		return err
	case <-late.C:
		return fmt.Errorf("%s: hangs, no answer after %s", p, limit)
	}
}

// Check checks once. Nil says that the container answers as it should.
func Check(ctx context.Context, p bundle.Probe, t Target) error {
	ctx, cancel := context.WithTimeout(ctx, t.limit(p))
	defer cancel()
	switch p.Kind {
	case bundle.ProbeTCP:
		return checkTCP(ctx, t.Proc, p.Port)
	case bundle.ProbeHTTP:
		return checkHTTP(ctx, t.Proc, p.Port, p.Path)
	case bundle.ProbeUnix:
		return checkUnix(t.Proc, p.Path)
	case bundle.ProbeFile:
		return checkFile(t.Proc, p.Path)
	case bundle.ProbeExec:
		return checkExec(ctx, t, p.Command)
	}
	if !t.Proc.Alive() {
		return errors.New("it does not run")
	}
	return nil
}

func checkExec(ctx context.Context, t Target, argv []string) error {
	status, err := t.Exec(ctx, argv)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: not done after %s", argv[0], t.limits().exec)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	if !status.Success() {
		return fmt.Errorf("%s: %s", argv[0], status)
	}
	return nil
}

// Pauses between two checks of a container that is not ready yet.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
	execPause  = 500 * time.Millisecond // a program in the container costs more
)

// Await checks until the container is ready. It ends with ctx, with the cause of
// the last failure; failed, which may be nil, is told of every one.
func Await(ctx context.Context, p bundle.Probe, t Target, failed func(error)) error {
	pause := firstPause
	if p.Kind == bundle.ProbeExec {
		pause = execPause
	}
	var c checker
	for {
		err := c.check(ctx, p, t)
		if err == nil {
			return nil
		}
		if failed != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(pause*3/2, lastPause)
	}
}

// failures is how many checks in a row have to fail before a container is unhealthy.
const failures = 3

// Watch checks every interval and returns when the container is unhealthy, with the
// cause, or with nil when ctx ends.
func Watch(ctx context.Context, p bundle.Probe, t Target, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var c checker
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.check(ctx, p, t)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed == failures {
			return fmt.Errorf("%d checks in a row failed: %w", failed, err)
		}
	}
}
