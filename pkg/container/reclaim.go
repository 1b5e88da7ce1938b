package container

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
	"slipway/pkg/reap"

	"golang.org/x/sys/unix"
)

// reclaim takes away a container of this bundle that the OCI runtime knows and
// nobody here started: the record of its start was lost, or somebody called the
// runtime by hand and what came of it has crashed. Without it the runtime would
// refuse the name. One of another bundle that runs is not ours to end.
func (e *Engine) reclaim(b *bundle.Bundle) error {
	if _, err := os.Lstat(e.Runtime.StateDir(b.Name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return e.phase(b, PhaseClean, func() error { return e.takeAway(b) })
}

func (e *Engine) takeAway(b *bundle.Bundle) error {
	id, from, err := e.Runtime.ReadOrigin(b.Name)
	if err != nil {
		// A runtime that was killed early has left no state, or half of one.
		e.logger(b).Debug("stale state", "err", err)
	}
	if id.Alive() && from != b.Dir && path.Dir(from) != path.Join(e.runDir(), "containers") {
		return fmt.Errorf("a container of this name runs already, from %s (pid %d)", from, id.Pid)
	}
	return errors.Join(e.endStale(b, id), e.Runtime.RemoveState(b.Name, mount.Clear), mount.Clear(b.Dir))
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
