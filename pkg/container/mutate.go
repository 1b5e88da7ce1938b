package container

import (
	"os"
	"path"
	"slices"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// mutate gives the spec the limits of the machine and lets the Engine's Mutate
// change it. The bundle may lie on a read-only file system, so a changed spec is
// written beside the record, which then serves the runtime as bundle; the root
// path is made absolute for that.
func (s *starting) mutate(dir string) error {
	spec := s.e.limited(s.b)
	changed := spec != s.b.Spec
	if s.e.Mutate != nil {
		if !changed {
			spec = shallow(spec)
		}
		also, err := s.e.Mutate(s.b, spec)
		if err != nil {
			return err
		}
		changed = changed || also
	}
	if fitted := s.oci.Fit(spec); fitted != spec {
		spec, changed = fitted, true
	}
	spec, filter := s.compiled(spec)
	changed = changed || filter != s.b.Filter
	s.spec = spec
	if !changed {
		return nil
	}
	if spec.Root != nil && !path.IsAbs(spec.Root.Path) {
		root := *spec.Root
		root.Path = s.b.Path(root.Path)
		spec.Root = &root
	}
	data, err := bundle.Encode(spec, filter)
	if err != nil {
		return err
	}
	s.call.Bundle = dir
	return os.WriteFile(path.Join(dir, bundle.ConfigFile), data, 0o600)
}

// shallow copies a spec as deep as it takes to append to its lists and to set
// its resources without reaching the bundle's.
func shallow(spec *specs.Spec) *specs.Spec {
	c := *spec
	c.Mounts = slices.Clip(c.Mounts)
	if c.Process != nil {
		p := *c.Process
		p.Env, p.Args = slices.Clip(p.Env), slices.Clip(p.Args)
		c.Process = &p
	}
	if c.Linux != nil {
		l := *c.Linux
		if l.Resources != nil {
			r := *l.Resources
			l.Resources = &r
		}
		c.Linux = &l
	}
	return &c
}
