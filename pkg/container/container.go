package container

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/reap"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// killTimeout is how long a container's processes have to vanish once killed.
const killTimeout = 10 * time.Second

// Container is a container that has been started.
//
//   - Wait tells how its init process ended. What it left running goes on.
//   - Kill ends all of it.
//   - Cleanup kills what is left and undoes the start. It is always needed.
type Container struct {
	engine *Engine
	bundle *bundle.Bundle
	id     reap.Ident
	group  cgroup.Group
	child  *reap.Process // nil if the Engine's Await tells of the end

	mu      sync.Mutex
	undo    undoing // of what does not last; nil for one that was attached
	cleaned bool
}

// Attach takes over a container that an Engine of a process that is gone has
// started, given its init process. One that has ended meanwhile is attached as
// well: Wait tells how it ended if that is known.
func (e *Engine) Attach(b *bundle.Bundle, id reap.Ident) (*Container, error) {
	group, err := e.group(b)
	if err != nil {
		return nil, fmt.Errorf("%s %s: attach: %w", b.Section, b.Name, err)
	}
	c := &Container{engine: e, bundle: b, id: id, group: group}
	if e.Await == nil {
		c.child = e.Reaper.Adopt(id.Pid)
	}
	return c, nil
}

// Pid is the pid of the container's init process, as we see it.
func (c *Container) Pid() int { return c.id.Pid }

// Ident is the init process beyond reuse of its pid.
func (c *Container) Ident() reap.Ident { return c.id }

// Group is the container's control group.
func (c *Container) Group() cgroup.Group { return c.group }

// Wait waits for the container's init process to end.
func (c *Container) Wait(ctx context.Context) (reap.Status, error) {
	if c.child != nil {
		return c.child.Wait(ctx)
	}
	return c.engine.Await(ctx, c.id)
}

// Signal sends sig to the container's init process, and to no other process
// that has its pid by now: then the error is ESRCH.
func (c *Container) Signal(sig unix.Signal) error { return c.id.Signal(sig) }

// Kill kills all of the container's processes and returns when none is left.
func (c *Container) Kill() error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	err := kill(ctx, c.group, c.id)
	if err != nil {
		return fmt.Errorf("%s %s: kill: %w", c.bundle.Section, c.bundle.Name, err)
	}
	return nil
}

// kill kills a group and the init process, which is not in it if the runtime
// was stopped early.
func kill(ctx context.Context, group cgroup.Group, id reap.Ident) error {
	err := group.Kill(ctx)
	if id.Start == 0 {
		return err
	}
	if sigErr := id.Signal(unix.SIGKILL); sigErr != nil && !errors.Is(sigErr, unix.ESRCH) {
		err = errors.Join(err, sigErr)
	}
	return err
}

func cgroupsPath(spec *specs.Spec) string {
	if spec == nil || spec.Linux == nil {
		return ""
	}
	return spec.Linux.CgroupsPath
}

// undo takes back one thing that a start has done.
type undo struct {
	do func() error
	// lasting: it stays when the container has ended, and is undone only if the
	// start fails.
	lasting bool
}

// undoing is all that a start has done, in that order.
type undoing []undo

// ofTheContainer is what does not outlast it; never nil.
func (u undoing) ofTheContainer() undoing {
	own := undoing{}
	for _, one := range u {
		if !one.lasting {
			own = append(own, one)
		}
	}
	return own
}

// run undoes the last first, and goes on when one fails.
func (u undoing) run() error {
	var faults []error
	for i := len(u) - 1; i >= 0; i-- {
		faults = append(faults, u[i].do())
	}
	return errors.Join(faults...)
}
