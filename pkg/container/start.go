package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/rootfs"
	"slipway/pkg/container/runtime"
	"slipway/pkg/container/step"
	"slipway/pkg/reap"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// starting is a start under way.
type starting struct {
	e     *Engine
	b     *bundle.Bundle
	io    IO
	plan  Plan
	oci   *runtime.Runtime
	call  runtime.Call
	spec  *specs.Spec // as the runtime gets it
	group cgroup.Group
	undo  undoing

	learns bool // the compiled filter, so the container is created first
}

// Start prepares, creates, wires and starts a container. On error everything
// is undone; what cannot be is part of the error.
func (e *Engine) Start(ctx context.Context, b *bundle.Bundle, io IO) (*Container, error) {
	if err := e.recover(b); err != nil {
		return nil, err
	}
	s := &starting{e: e, b: b, io: io, oci: e.Runtimes.Choose(b.Policy.Runtime)}
	c, err := s.run(ctx)
	if err != nil {
		return nil, errors.Join(err, e.finish(b, s.undo))
	}
	return c, nil
}

func (s *starting) run(ctx context.Context) (*Container, error) {
	if err := s.e.phase(s.b, PhasePrepare, func() error { return s.prepare(ctx) }); err != nil {
		return nil, err
	}
	if !s.b.Runtime.NeedsWiring() && !s.learns {
		return s.runAtOnce(ctx)
	}
	var id reap.Ident
	err := s.e.phase(s.b, PhaseCreate, func() (err error) {
		if err = s.oci.Create(ctx, s.call); err == nil {
			s.learn()
			id, err = s.ident()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c := s.container(id)
	err = s.e.phase(s.b, PhaseWire, func() error { return s.apply(ctx, s.plan.Wire, id.Pid) })
	if err != nil {
		return nil, err
	}
	err = s.e.phase(s.b, PhaseStart, func() error {
		if err := s.oci.Start(ctx, s.call); err != nil {
			return err
		}
		return awaitProgram(ctx, s.oci, s.b, id)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// runAtOnce has the runtime create and start in one process.
func (s *starting) runAtOnce(ctx context.Context) (*Container, error) {
	var id reap.Ident
	err := s.e.phase(s.b, PhaseStart, func() (err error) {
		if err = s.oci.Run(ctx, s.call); err == nil {
			id, err = s.ident()
		}
		if err == nil {
			err = awaitProgram(ctx, s.oci, s.b, id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.container(id), nil
}

func (s *starting) container(id reap.Ident) *Container {
	c := &Container{engine: s.e, bundle: s.b, oci: s.oci, id: id, group: s.group, undo: s.undo.ofTheContainer()}
	if s.e.Await == nil {
		c.child = s.e.Reaper.Adopt(id.Pid)
	}
	return c
}

// prepare does all that comes before the runtime.
func (s *starting) prepare(ctx context.Context) error {
	if err := s.record(); err != nil {
		return err
	}
	if err := s.makePlan(); err != nil {
		return err
	}
	if err := s.apply(ctx, s.plan.Prepare, 0); err != nil {
		return err
	}
	s.checkUpper()
	for i := range s.plan.Cgroups {
		err := s.apply(ctx, s.plan.Cgroups[i:i+1], 0)
		if err == nil && s.e.Limits.All != (cgroup.Limit{}) {
			err = cgroup.Bound(s.b.Runtime.Cgroups[i], s.e.Limits.All)
		}
		if err != nil {
			s.e.logger(s.b).Warn("make cgroup", "err", err)
		}
	}
	if err := s.claim(); err != nil {
		return err
	}
	// Only now is there what the start makes for its binds.
	return s.e.noteShared(s.b, s.spec)
}

// record makes the directory that tells of a start; Clean looks for it.
func (s *starting) record() error {
	dir := s.e.dir(s.b)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := s.oci.Record(dir); err != nil {
		return err
	}
	s.call = runtime.Call{
		ID: s.b.Name, Bundle: s.b.Dir, PidFile: dir + "/pid", Log: dir + "/runc.log",
		Stdout: s.io.Stdout, Stderr: s.io.Stderr, Began: s.io.Began, Hooks: hooksOf(s.b),
	}
	return s.mutate(dir)
}

func (s *starting) makePlan() error {
	ledger, err := rootfs.OpenLedger(s.e.ledger(s.b))
	if err != nil {
		// Without it a mount may be made once more, which harms less than a
		// container that does not start.
		s.e.logger(s.b).Warn("read the ledger of mounts", "err", err)
		ledger = nil
	}
	facts, err := rootfs.Look(s.b)
	facts.Layer = s.e.Limits.of(s.b.Section).Layer
	s.plan = NewPlan(s.b, facts, ledger)
	return err
}

// checkUpper says so when a layer that is to last lies where nothing does: what
// was to mount the disk there has not.
func (s *starting) checkUpper() {
	disk := s.b.Policy.Upper.Disk
	if disk == "" || s.b.Spec.Root.Readonly {
		return
	}
	lasts, err := mount.Lasts(disk)
	if err == nil && !lasts {
		err = errors.New("it lies in memory, and is gone with the next boot")
	}
	if err != nil {
		s.e.logger(s.b).Warn("slipway.upper", "disk", disk, "err", err)
	}
}

// claim makes sure that the container's cgroup is nobody else's, since what is
// in it gets killed, and registers how to give it and runc's state back.
func (s *starting) claim() error {
	name := cgroupsPath(s.spec)
	group, err := cgroup.Of(name, s.b.Name)
	if err != nil {
		return err
	}
	s.group = group
	existed := group.Exists()
	if existed {
		if err := s.share(); err != nil {
			return err
		}
	}
	s.undo = append(s.undo, undo{do: func() error {
		// The init process is known from the pid file, if it got that far.
		id, err := s.ident()
		if err != nil {
			id = reap.Ident{}
		}
		return s.e.release(s.b, s.oci, group, id, existed)
	}})
	return s.e.nest(s.b, name, group)
}

// share notes that the cgroup was there before, and refuses one that is in use.
func (s *starting) share() error {
	populated, err := s.group.Populated()
	if err != nil {
		return err
	}
	mark := keepCgroup
	if populated {
		mark = foreignCgroup
		err = fmt.Errorf("cgroup %s: in use by other processes", s.group)
	}
	return errors.Join(err, os.WriteFile(s.e.dir(s.b)+"/"+mark, nil, 0o600))
}

// apply carries steps out.
func (s *starting) apply(ctx context.Context, steps []step.Step, pid int) error {
	for _, step := range steps {
		if s.e.beforeStep != nil {
			if err := s.e.beforeStep(step); err != nil {
				return err
			}
		}
		do, err := step.Apply(ctx, pid)
		if err != nil {
			return err
		}
		s.undo = append(s.undo, undo{do, step.Lasting()})
		s.e.logger(s.b).Debug(step.String())
	}
	return nil
}

// ident finds the container's init process. One that has ended already is not
// in /proc any more, but the runtime noted when it started.
func (s *starting) ident() (reap.Ident, error) {
	pid, err := runtime.ReadPid(s.call.PidFile)
	if err != nil {
		return reap.Ident{}, err
	}
	id, err := reap.Identify(pid)
	if err == nil {
		return id, nil
	}
	if state, stateErr := s.oci.ReadState(s.b.Name); stateErr == nil && state.Pid == pid {
		return state, nil
	}
	return reap.Ident{Pid: pid}, nil
}
