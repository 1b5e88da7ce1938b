package container

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runc"
	"slipway/pkg/reap"
)

// Files of the record that say whose the container's cgroup is, when it was
// there before the start.
const (
	keepCgroup    = "keep-cgroup"    // it stays, but what runs in it is ours
	foreignCgroup = "foreign-cgroup" // what runs in it is not ours
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
			return c.engine.clean(c.bundle)
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
	return e.clean(b)
}

// Clean cleans up after a start whose process is gone, and whose container is
// not to be attached. Without such a start it does nothing.
func (e *Engine) Clean(b *bundle.Bundle) error {
	if _, err := os.Lstat(e.dir(b)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return e.phase(b, PhaseClean, func() error { return e.clean(b) })
}

// clean undoes a start by what can be found on the machine. The record goes
// last: without it nobody would look again.
func (e *Engine) clean(b *bundle.Bundle) error {
	group, err := e.group(b)
	if err != nil {
		// A start that asked for such a group has not got as far as the runtime.
		e.logger(b).Debug("clean up", "err", err)
		err = nil
	} else if !e.marked(b, foreignCgroup) {
		err = e.release(b, group, e.leftover(b), e.marked(b, keepCgroup))
	}
	// All that is mounted in the bundle's folder is this container's: rootfs,
	// tmp, and what programs have mounted below them.
	if err := errors.Join(err, mount.Clear(b.Dir)); err != nil {
		return err
	}
	e.unshare(b)
	return removeRecord(e.dir(b))
}

func (e *Engine) marked(b *bundle.Bundle, mark string) bool {
	_, err := os.Lstat(path.Join(e.dir(b), mark))
	return err == nil
}

// leftover is the init process of a start whose process is gone, by the
// runtime's state: a pid alone could be another process's by now.
func (e *Engine) leftover(b *bundle.Bundle) reap.Ident {
	id, err := e.Runtime.ReadState(b.Name)
	pid, pidErr := runc.ReadPid(path.Join(e.dir(b), "pid"))
	if err != nil || pidErr != nil || id.Pid != pid {
		return reap.Ident{}
	}
	return id
}

// release gives back what the OCI runtime made: processes, cgroup and state.
// The quick way first: the cgroup of a container that has ended can be removed
// at once.
func (e *Engine) release(b *bundle.Bundle, group cgroup.Group, id reap.Ident, keep bool) error {
	e.poststop(b)
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	var err error
	if keep || id.Alive() || group.RemoveOnce() != nil {
		err = kill(ctx, group, id)
		if !keep {
			err = errors.Join(err, group.Remove(ctx))
		}
	}
	return errors.Join(err, e.Runtime.RemoveState(b.Name, mount.Clear))
}

// poststopTimeout is how long the hooks of a container's end may take.
const poststopTimeout = 10 * time.Second

// poststop lets the runtime run hooks that only it can run. LinuxKit's builder
// writes none, so this costs nothing but for bundles made otherwise. One that
// fails is told, and no failure of the container: so OCI's specification has it.
func (e *Engine) poststop(b *bundle.Bundle) {
	if b.Spec == nil || b.Spec.Hooks == nil || len(b.Spec.Hooks.Poststop) == 0 {
		return
	}
	if _, err := os.Lstat(e.Runtime.StateDir(b.Name)); err != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), poststopTimeout, runc.Late(poststopTimeout))
	defer cancel()
	err := e.Runtime.Delete(ctx, runc.Call{ID: b.Name, Log: path.Join(e.dir(b), "runc.log"), Hooks: hooksOf(b)})
	if err != nil {
		e.logger(b).Warn("poststop hooks", "err", err)
	}
}

// removeRecord removes the record, whose files have no folders among them. The
// runtime may have left one more than we know of, if it was killed.
func removeRecord(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		err = errors.Join(err, os.Remove(path.Join(dir, f.Name())))
	}
	return errors.Join(err, os.Remove(dir))
}
