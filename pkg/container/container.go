package container

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/runtime"
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
	oci    *runtime.Runtime
	id     reap.Ident
	group  cgroup.Group
	child  *reap.Process // nil if the Engine's Await tells of the end

	mu      sync.Mutex
	undo    undoing // of what does not last; nil for one that was attached
	cleaned bool
}

// Ident is the init process beyond reuse of its pid.
func (c *Container) Ident() reap.Ident { return c.id }

// Group is the container's control group.
func (c *Container) Group() cgroup.Group { return c.group }

// Runtime is the name of the OCI runtime that the container was started with.
func (c *Container) Runtime() string { return c.oci.Name() }

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
