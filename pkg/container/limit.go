package container

import (
	"encoding/json"
	"os"
	"path"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are what the Engine gives a container that says nothing of it. A zero
// is no limit.
type Limits struct {
	// Group has all containers that name no group of their own live in
	// cgroup.Parent.
	Group bool
	// All is what the outermost group of a container may have; of cgroup.Parent
	// it is set by whoever made that.
	All cgroup.Limit
	// Pids and Memory are of one container.
	Pids, Memory uint64
	// Layer is the size of its writable layer in memory, in bytes.
	Layer uint64
}

// limited is the bundle's spec with the Limits, or the bundle's own if there is
// nothing to add. What YAML says of resources stays.
func (e *Engine) limited(b *bundle.Bundle) *specs.Spec {
	l := e.Limits
	if l == (Limits{}) || b.Spec == nil {
		return b.Spec
	}
	spec := shallow(b.Spec)
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	if spec.Linux.Resources == nil {
		spec.Linux.Resources = &specs.LinuxResources{}
	}
	if l.Group && spec.Linux.CgroupsPath == "" {
		spec.Linux.CgroupsPath = cgroup.Path(b.Name)
	}
	r := spec.Linux.Resources
	if n := pids(b, l); n != 0 && (r.Pids == nil || r.Pids.Limit == nil || *r.Pids.Limit == 0) {
		r.Pids = &specs.LinuxPids{Limit: &n}
	}
	if l.Memory != 0 && (r.Memory == nil || r.Memory.Limit == nil || *r.Memory.Limit == 0) {
		var m specs.LinuxMemory
		if r.Memory != nil {
			m = *r.Memory
		}
		n := int64(l.Memory)
		m.Limit = &n
		r.Memory = &m
	}
	return spec
}

// pids is the limit by the policy; 0: none. A kernel that cannot bound them is
// not asked to.
func pids(b *bundle.Bundle, l Limits) int64 {
	switch {
	case l.Pids == 0:
		return 0
	case b.Policy.Pids == bundle.NoLimit:
		return int64(l.All.Pids)
	case b.Policy.Pids != 0:
		return b.Policy.Pids
	}
	return int64(l.Pids)
}

// group is the group of a container that was started earlier, by what the
// runtime was given then, which an engine of another time may have decided.
func (e *Engine) group(b *bundle.Bundle) (cgroup.Group, error) {
	data, err := os.ReadFile(path.Join(e.dir(b), bundle.ConfigFile))
	if err != nil {
		return cgroup.Of(cgroupsPath(b.Spec), b.Name)
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return cgroup.Group{}, err // it was killed while it wrote, and nothing was started
	}
	return cgroup.Of(cgroupsPath(&spec), b.Name)
}

// boundTop bounds the outermost of several groups that a path names. A single one
// is the container's own, and the runtime sets its limits.
func (e *Engine) boundTop(name string) error {
	if e.Limits.All == (cgroup.Limit{}) || path.Dir(path.Clean("/"+name)) == "/" {
		return nil
	}
	return cgroup.Bound(name, e.Limits.All)
}
