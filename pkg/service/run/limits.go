package run

import (
	"errors"
	"os"
	"path/filepath"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/quota"
	"slipway/pkg/service/host"
)

// limits divides the machine and bounds the group of all containers, before the
// first of them starts. Under an init of another make that is for us to do as
// well. What cannot be bounded is told, and stops nothing. Services run side by
// side, the containers of other sections one by one.
func limits(h *host.Host, services bool) container.Limits {
	if !cgroup.AtRoot() {
		return container.Limits{} // whoever put us into a group has bounded it
	}
	q, first, err := quota.Open(h.Paths.Own())
	if err != nil {
		h.Say("%s", err)
		return container.Limits{}
	}
	if err := cgroup.Bound(cgroup.Parent, q.Limit()); err != nil {
		h.Say("%s", err)
	}
	if first && isMachine(h.Paths) && q.Memory > 0 {
		if err := errors.Join(quota.Set(), q.BoundShared()); err != nil {
			h.Say("%s", err)
		}
	}
	n := 1
	if services {
		n = writable(h.Paths.Section(bundle.Services))
	}
	return container.Limits{
		Group: true, All: q.Limit(), Pids: q.EachPids, Memory: q.EachMemory, Layer: q.Layer(n),
	}
}

// isMachine tells a machine that was booted from an image from one on which
// somebody runs the program by hand.
func isMachine(p host.Paths) bool {
	d := host.Default()
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
