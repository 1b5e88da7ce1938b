package container

import (
	"os"
	"path"
	"slices"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// mutate gives the spec the limits of the machine and lets the Engine's Mutate
// change it. The runtime gets what comes of it, written beside the record, which serves it
// as bundle, also where nothing was changed: readers of JSON differ in what they make of a
// name in other letters, and the container is to run as it was read here. The root path is
// made absolute for that.
func (s *starting) mutate(dir string) error {
	spec := s.e.limited(s.b)
	if s.e.Mutate != nil {
		if spec == s.b.Spec {
			spec = shallow(spec)
		}
		s.e.Mutate(s.b, spec)
	}
	spec, filter := s.compiled(s.oci.Fit(spec))
	s.spec = spec
	written := *spec
	if spec.Root != nil && !path.IsAbs(spec.Root.Path) {
		root := *spec.Root
		root.Path = s.b.Path(root.Path)
		written.Root = &root
	}
	data, err := bundle.Encode(&written, filter)
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
