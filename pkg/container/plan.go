package container

import (
	"context"
	"fmt"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/network"
	"slipway/pkg/container/rootfs"
)

// Step is one thing to do around the OCI runtime. String is the line one could
// type instead, with $PID for the container's init process.
type Step interface {
	fmt.Stringer
	Apply(ctx context.Context, pid int) (undo func() error, err error)
	// Lasting tells that it stays when the container has ended, because later
	// containers rely on it. Only a start that fails undoes it.
	Lasting() bool
}

// Plan is all that has to happen around the OCI runtime, in LinuxKit's order.
type Plan struct {
	Prepare []Step // before create
	Cgroups []Step // before create; a failure is only logged, as in LinuxKit
	Wire    []Step // after create, before start
}

// NewPlan says what a bundle asks for. It touches nothing. The ledger may be
// nil.
func NewPlan(b *bundle.Bundle, f rootfs.Facts, l *rootfs.Ledger) Plan {
	var p Plan
	for _, s := range rootfs.Plan(b, f, l) {
		p.Prepare = append(p.Prepare, s)
	}
	for _, name := range b.Runtime.Cgroups {
		p.Cgroups = append(p.Cgroups, cgroup.Make{Name: name, Root: cgroup.Root})
	}
	for _, s := range network.Plan(b.Runtime) {
		p.Wire = append(p.Wire, s)
	}
	return p
}
