package container

import (
	"context"
	"errors"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
)

// Cleanup ends what is left of the container and leaves the machine as it was
// before the start, but for what lasts. It may be called again.
func (c *Container) Cleanup() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cleaned {
		return nil
	}
	c.cleaned = true
	return c.engine.phase(c.bundle, PhaseCleanup, func() error {
		if c.undo == nil {
			return c.engine.cleanByRecord(c.bundle)
		}
		return c.engine.finish(c.bundle, c.undo)
	})
}

// finish undoes a start. If something stands in the way of an undoing, such as
// a mount that came to lie below the rootfs later, the thorough way finds it.
func (e *Engine) finish(b *bundle.Bundle, undo undoing) error {
	err := undo.run()
	if err == nil {
		e.unshare(b)
		return removeRecord(e.dir(b))
	}
	e.logger(b).Debug("undo", "err", err)
	return e.cleanByRecord(b)
}

// release gives back what the OCI runtime made: processes, cgroup and state.
// The quick way first: the cgroup of a container that has ended can be removed
// at once.
func (e *Engine) release(b *bundle.Bundle, oci *runtime.Runtime, group cgroup.Group, id reap.Ident, keep bool) error {
	e.poststop(b, oci)
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	var err error
	if keep || id.Alive() || group.RemoveOnce() != nil {
		err = kill(ctx, group, id)
		if !keep {
			err = errors.Join(err, group.Remove(ctx))
		}
	}
	return errors.Join(err, oci.RemoveState(b.Name, mount.Clear))
}
