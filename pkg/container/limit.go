package container

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are what the Engine gives a container that says nothing of it. A zero
// is no limit.
type Limits struct {
	// Group has all containers that name no group of their own live where
	// cgroup.Path says.
	Group bool
	// All is what the outermost group of a container may have; of the groups that
	// cgroup.Path names it is set by whoever made those.
	All cgroup.Limit
	// Pids and Memory are of one container.
	Pids, Memory uint64
	// Kept is what of its memory, such as its program, the kernel takes from it
	// for no other: of one container, in bytes.
	Kept uint64
	// Terminals are those of its own /dev/pts.
	Terminals uint64
	// Layer is the size of its writable layer in memory, in bytes.
	Layer uint64
	// Onshutdown is what a container of that section has in place of Memory and
	// Pids. They run one by one, so it is what all of them may have.
	Onshutdown cgroup.Limit
}

// of are the limits of a bundle's section.
func (l Limits) of(s bundle.Section) Limits {
	if s == bundle.Onshutdown && l.Onshutdown != (cgroup.Limit{}) {
		l.All, l.Pids, l.Memory = l.Onshutdown, l.Onshutdown.Pids, l.Onshutdown.Memory
		l.Layer = min(l.Layer, l.Memory/2&^0xfff)
	}
	return l
}

// limited is the bundle's spec with the Limits, or the bundle's own if there is
// nothing to add. What YAML says of resources stays.
func (e *Engine) limited(b *bundle.Bundle) *specs.Spec {
	l := e.Limits.of(b.Section)
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
		spec.Linux.CgroupsPath = cgroup.Path(b.Section, b.Name)
	}
	r := spec.Linux.Resources
	spec.Mounts = terminals(spec.Mounts, l.Terminals)
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
	if _, said := r.Unified[keptFile]; l.Kept != 0 && !said {
		r.Unified = maps.Clone(r.Unified)
		if r.Unified == nil {
			r.Unified = map[string]string{}
		}
		r.Unified[keptFile] = strconv.FormatUint(l.Kept, 10)
	}
	return spec
}

// terminals bounds those of a /dev/pts that says nothing of it.
func terminals(mounts []specs.Mount, most uint64) []specs.Mount {
	bounded := func(m specs.Mount) bool {
		return m.Type != "devpts" || slices.ContainsFunc(m.Options, func(o string) bool { return strings.HasPrefix(o, "max=") })
	}
	if most == 0 || !slices.ContainsFunc(mounts, func(m specs.Mount) bool { return !bounded(m) }) {
		return mounts
	}
	mounts = slices.Clone(mounts)
	for i, m := range mounts {
		if !bounded(m) {
			mounts[i].Options = append(slices.Clip(m.Options), "max="+strconv.FormatUint(most, 10))
		}
	}
	return mounts
}

// keptFile is of cgroup v2.
const keptFile = "memory.min"

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

// nest makes the groups that a path of several names, and bounds the outermost. A
// single one is the container's own: the runtime makes it, and sets its limits.
func (e *Engine) nest(b *bundle.Bundle, name string, g cgroup.Group) error {
	switch path.Dir(path.Clean("/" + name)) {
	case "/", cgroup.Parent, cgroup.Onshutdown:
		return nil
	}
	if err := g.Nest(); err != nil {
		return err
	}
	if e.Limits.All == (cgroup.Limit{}) {
		return nil
	}
	if err := cgroup.Bound(name, e.Limits.All); err != nil {
		e.logger(b).Warn("cgroup", "err", err)
	}
	return nil
}
