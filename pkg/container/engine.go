// Package container is the life of one container in the guest: prepare its
// root file system, create it by an OCI runtime, wire its network, start it,
// wait for it, and leave the machine as it was before.
//
// Its parts plan what is to be done (rootfs, network, cgroup) and do it through
// one package each (mount, runc); this one carries the plans out in order and
// registers each undoing right after its step. Packages above decide what runs
// when, and what an exit means.
package container

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/container/step"
	"slipway/pkg/reap"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Phase is a part of a start, for the timeline and for errors.
type Phase string

// The phases in their order. A container with nothing to wire is created and
// started by one call of the runtime, in PhaseStart.
const (
	PhaseClean   Phase = "clean up after the last run"
	PhasePrepare Phase = "prepare rootfs"
	PhaseCreate  Phase = "create"
	PhaseWire    Phase = "wire"
	PhaseStart   Phase = "start"
	PhaseCleanup Phase = "clean up"
)

// Engine starts containers. All fields are set before its first use.
type Engine struct {
	// Runtimes are the OCI runtimes that containers can be started with.
	Runtimes *runtime.Machine
	Reaper   *reap.Reaper
	Log      *slog.Logger
	// RunDir is where it keeps what it has to know of its containers when the process
	// that started them is gone; "": machine.Run.
	RunDir string

	// Await tells how a container's init process ended. If it is nil the
	// containers become children of this process, and the Reaper tells.
	Await func(context.Context, reap.Ident) (reap.Status, error)
	// Limits are of containers that say nothing of it.
	Limits Limits
	// Mutate may change a container's spec before it is created. It may append
	// to mounts, arguments and environment. Nil changes nothing.
	Mutate func(*bundle.Bundle, *specs.Spec)
	// Observe hears of each phase of a start that is over.
	Observe func(b *bundle.Bundle, p Phase, took time.Duration, err error)

	filters compiled

	// beforeStep lets tests fail at any step.
	beforeStep func(step.Step) error
}

// IO is where a container's output goes; nil is /dev/null, as its input is.
type IO struct {
	Stdout, Stderr *os.File
	// Began hears of the OCI runtime's process, which the start then waits for; nil:
	// nobody does.
	Began func(pid int)
}

func (e *Engine) logger(b *bundle.Bundle) *slog.Logger {
	return cmp.Or(e.Log, slog.New(slog.DiscardHandler)).With("container", string(b.Section)+" "+b.Name)
}

// phase runs one part of a start, reports how long it took, and puts the
// container's and the part's name before its error.
func (e *Engine) phase(b *bundle.Bundle, p Phase, do func() error) error {
	began := time.Now()
	err := do()
	if err != nil {
		err = fmt.Errorf("%s %s: %s: %w", b.Section, b.Name, p, err)
	}
	if e.Observe != nil {
		e.Observe(b, p, time.Since(began), err)
	}
	return err
}
