package container

import (
	"sync"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// compiled are filters of system calls as an OCI runtime has made programs of them:
// one that takes such a program need not do so for every container. They are kept by
// the process that learnt them.
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
	program := e.programs[compiledOf{s.oci.Program(), s.b.Filter}]
	if s.learns = program == ""; s.learns {
		return spec, s.b.Filter
	}
	return s.oci.WithCompiled(spec, program), refuse
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
	if e.programs == nil {
		e.programs = map[compiledOf]string{}
	}
	e.programs[compiledOf{s.oci.Program(), s.b.Filter}] = program
}
