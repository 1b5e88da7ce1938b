package container

import (
	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/network"
	"slipway/pkg/container/rootfs"
	"slipway/pkg/container/step"
)

// Plan is all that has to happen around the OCI runtime, in LinuxKit's order.
type Plan struct {
	Prepare []step.Step // before create
	Cgroups []step.Step // before create; a failure is only logged, as in LinuxKit
	Wire    []step.Step // after create, before start
}

// NewPlan says what a bundle asks for. It touches nothing. The ledger may be
// nil.
func NewPlan(b *bundle.Bundle, f rootfs.Facts, l *rootfs.Ledger) Plan {
	var p Plan
	p.Prepare = rootfs.Plan(b, f, l)
	for _, name := range b.Runtime.Cgroups {
		p.Cgroups = append(p.Cgroups, cgroup.Make{Name: name, Root: cgroup.Root})
	}
	p.Wire = network.Plan(b.Runtime)
	return p
}
