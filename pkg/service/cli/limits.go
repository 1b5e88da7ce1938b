package cli

import (
	"errors"
	"os"
	"path/filepath"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/quota"
	"slipway/pkg/service/guest"
)

// limits divides the machine and bounds the group of all containers, before the
// first of them starts. Under an init of another make that is for us to do as
// well. What cannot be bounded is told, and stops nothing. Services run side by
// side, the containers of other sections one by one.
func limits(g *guest.Guest, services bool) container.Limits {
	if !cgroup.AtRoot() {
		return container.Limits{} // whoever put us into a group has bounded it
	}
	q, first, err := quota.Open(g.Paths.RunDir(), g.Paths.Count(bundle.Onshutdown) > 0)
	if err != nil {
		g.Say("%s", err)
		return container.Limits{}
	}
	if err := errors.Join(cgroup.Bound(cgroup.Parent, q.Limit()), cgroup.Bound(cgroup.Onshutdown, q.Onshutdown)); err != nil {
		g.Say("%s", err)
	}
	if isMachine(g.Paths) && q.Memory > 0 {
		raise(g, q, first)
	}
	n := 1
	if services {
		n = writable(g.Paths.Section(bundle.Services))
	}
	l := container.Limits{
		Group: true, All: q.Limit(), Pids: q.EachPids, Memory: q.EachMemory, Terminals: q.EachTerminals, Layer: q.Layer(n), Onshutdown: q.Onshutdown,
	}
	if q.Memory > 0 && cgroup.Unified() {
		l.Kept = q.Kept(g.Paths.Count(bundle.Services))
	}
	return l
}

// raise has nobody run out of what the kernel counts for the whole machine.
func raise(g *guest.Guest, q quota.Quota, first bool) {
	err := quota.Inherit()
	if first {
		err = errors.Join(err, q.Set(), q.BoundShared())
	}
	if err != nil {
		g.Say("%s", err)
	}
}

// isMachine tells a machine that was booted from an image from one on which
// somebody runs the program by hand.
func isMachine(p guest.Paths) bool {
	d := guest.Default()
	_, err := os.Stat(d.Containers)
	return err == nil && p.Containers == d.Containers && p.Run == d.Run
}

// writable counts the services with a writable layer: the builder lays a
// directory out for it.
func writable(dir string) int {
	layers, err := filepath.Glob(filepath.Join(dir, "*", bundle.TmpDir))
	if err != nil {
		return 0
	}
	return len(layers)
}
