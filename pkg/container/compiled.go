package container

import (
	"errors"
	"io/fs"
	"sync"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// compiled are filters of system calls as an OCI runtime has made programs of them:
// one that takes such a program need not do so for every container. The builder puts them
// into bundles; where it has not, what the runtime has compiled for one container is learnt
// for the others. They are kept by the process that has read or learnt them.
type compiled struct {
	mu       sync.Mutex
	programs map[compiledOf]string
}

type compiledOf struct {
	runtime string // its program
	filter  bundle.Filter
}

// refuse is the filter that goes with a compiled one: a runtime that would not
// know the compiled one gets no further than to it.
var refuse = bundle.NewFilter([]byte(`{"defaultAction":"SCMP_ACT_ERRNO"}`))

// compilable tells whether the container may have its filter compiled: the runtime takes
// it, and there is nothing to it that the program does not say. Hooks are told the
// annotations, among which it is, so a container with hooks goes without.
func (s *starting) compilable(spec *specs.Spec) bool {
	return s.oci.TakesCompiled(spec) && !s.b.Filter.None() && s.b.Filter.Simple() && len(hooksOf(s.b)) == 0
}

// compiled is the spec with the compiled filter, and the filter beside it; the
// same and the bundle's own where there is none yet, which the start then learns.
func (s *starting) compiled(spec *specs.Spec) (*specs.Spec, bundle.Filter) {
	if !s.compilable(spec) {
		return spec, s.b.Filter
	}
	e := &s.e.filters
	e.mu.Lock()
	defer e.mu.Unlock()
	key := compiledOf{s.oci.Program(), s.b.Filter}
	program := e.programs[key]
	if program == "" {
		program = s.built()
		e.keep(key, program)
	}
	if s.learns = program == ""; s.learns {
		return spec, s.b.Filter
	}
	return s.oci.WithCompiled(spec, program), refuse
}

// built is the program that the builder has made of the filter; "" for none.
func (s *starting) built() string {
	data, err := s.b.Program()
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	var program string
	if err == nil {
		program, err = runtime.EncodeCompiled(data)
	}
	if err != nil {
		s.e.logger(s.b).Warn("the compiled filter is passed over", "err", err)
	}
	return program
}

// keep has a program be found by the starts that follow; the lock is held.
func (c *compiled) keep(key compiledOf, program string) {
	if c.programs == nil {
		c.programs = map[compiledOf]string{}
	}
	c.programs[key] = program
}

// learn keeps what the runtime has compiled for a container whose program does not
// run yet. What cannot be read is compiled again by the next start.
func (s *starting) learn() {
	if !s.learns {
		return
	}
	program, err := s.oci.Compiled(s.call.ID)
	if err != nil {
		s.e.logger(s.b).Debug("learn the compiled filter", "err", err)
		return
	}
	e := &s.e.filters
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keep(compiledOf{s.oci.Program(), s.b.Filter}, program)
}
