package container

// What a process finds of containers that it has not started, because whoever did is
// gone. The supervisor looks (Find) and takes over what runs (Attach), or cleans up
// (Clean); a start looks by itself (recover). What this process has started itself
// goes by the undo list, see cleanup.go.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"

	"golang.org/x/sys/unix"
)

// Find says what is there of a container whose start may have been cut short, as
// Runner has it. It waits for an OCI runtime that still works for the container, on
// behalf of a supervisor that is gone, and then reads what that has left.
func (e *Engine) Find(ctx context.Context, b *bundle.Bundle, waits func(pid int)) (id reap.Ident, started bool, err error) {
	if err := runtime.AwaitOrphans(ctx, b.Name, waits); err != nil {
		return reap.Ident{}, false, err
	}
	oci := e.recorded(b)
	id, err = oci.ReadState(b.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return reap.Ident{}, false, nil
	}
	if err != nil {
		return reap.Ident{}, false, fmt.Errorf("find %s: %w", b.Name, err)
	}
	return id, oci.Started(b.Name), nil
}

// Attach takes over a container that an Engine of a process that is gone has
// started, given its init process. One that has ended meanwhile is attached as
// well: Wait tells how it ended if that is known.
func (e *Engine) Attach(b *bundle.Bundle, id reap.Ident) (*Container, error) {
	group, err := e.group(b)
	if err != nil {
		return nil, fmt.Errorf("%s %s: attach: %w", b.Section, b.Name, err)
	}
	c := &Container{engine: e, bundle: b, oci: e.recorded(b), id: id, group: group}
	if e.Await == nil {
		c.child = e.Reaper.Adopt(id.Pid)
	}
	return c, nil
}

// recover leaves nothing of an earlier start of the bundle, before the next: first
// what the record of it tells, then what the runtime still knows under this name. What
// the second finds may be another's, or in the way, so its error keeps from starting.
func (e *Engine) recover(b *bundle.Bundle) error {
	if err := e.Clean(b); err != nil {
		e.logger(b).Warn("clean up after the last run", "err", err)
	}
	return e.cleanByState(b)
}

// Clean cleans up after a start whose process is gone, and whose container is
// not to be attached. Without such a start it does nothing.
func (e *Engine) Clean(b *bundle.Bundle) error {
	if _, err := os.Lstat(e.dir(b)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return e.phase(b, PhaseClean, func() error { return e.cleanByRecord(b) })
}

// cleanByRecord undoes a start by what can be found on the machine. The record goes
// last: without it nobody would look again.
func (e *Engine) cleanByRecord(b *bundle.Bundle) error {
	oci := e.recorded(b)
	group, err := e.group(b)
	if err != nil {
		// A start that asked for such a group has not got as far as the runtime.
		e.logger(b).Debug("clean up", "err", err)
		err = nil
	} else if !e.marked(b, foreignCgroup) {
		err = e.release(b, oci, group, e.leftover(b, oci), e.marked(b, keepCgroup))
	}
	// All that is mounted in the bundle's directory is this container's: rootfs,
	// tmp, and what programs have mounted below them.
	if err := errors.Join(err, mount.Clear(b.Dir)); err != nil {
		return err
	}
	e.unshare(b)
	return removeRecord(e.dir(b))
}

// leftover is the init process of a start whose process is gone, by the
// runtime's state: a pid alone could be another process's by now.
func (e *Engine) leftover(b *bundle.Bundle, oci *runtime.Runtime) reap.Ident {
	id, err := oci.ReadState(b.Name)
	pid, pidErr := runtime.ReadPid(path.Join(e.dir(b), "pid"))
	if err != nil || pidErr != nil || id.Pid != pid {
		return reap.Ident{}
	}
	return id
}

// cleanByState takes away a container of this bundle that the OCI runtime knows and
// nobody here started: the record of its start was lost, or somebody called the
// runtime by hand and what came of it has crashed. Without it the runtime would
// refuse the name. One of another bundle that runs is not ours to end.
func (e *Engine) cleanByState(b *bundle.Bundle) error {
	var faults []error
	for oci := e.Runtimes.Holder(b.Name); oci != nil; oci = e.Runtimes.Holder(b.Name) {
		err := e.phase(b, PhaseClean, func() error { return e.takeAway(b, oci) })
		if faults = append(faults, err); err != nil {
			break
		}
	}
	return errors.Join(faults...)
}

func (e *Engine) takeAway(b *bundle.Bundle, oci *runtime.Runtime) error {
	id, from, err := oci.ReadOrigin(b.Name)
	if err != nil {
		// A runtime that was killed early has left no state, or half of one.
		e.logger(b).Debug("stale state", "err", err)
	}
	if id.Alive() && from != b.Dir && path.Dir(from) != path.Join(e.runDir(), "containers") {
		return fmt.Errorf("a container of this name runs already, from %s (pid %d)", from, id.Pid)
	}
	return errors.Join(e.endStale(b, id), oci.RemoveState(b.Name, mount.Clear), mount.Clear(b.Dir))
}

// endStale ends what is left of a container. A group that the bundle names
// itself may be another's as well: there only its own first process is ended.
func (e *Engine) endStale(b *bundle.Bundle, id reap.Ident) error {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if cgroupsPath(b.Spec) != "" {
		if err := id.Signal(unix.SIGKILL); id.Start != 0 && err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		return nil
	}
	// We put it there, or somebody called the runtime by hand.
	var faults []error
	for _, name := range []string{cgroup.Path(b.Section, b.Name), ""} {
		group, err := cgroup.Of(name, b.Name)
		if err == nil && group.Exists() && (id.Alive() || group.RemoveOnce() != nil) {
			err = errors.Join(kill(ctx, group, id), group.Remove(ctx))
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}
