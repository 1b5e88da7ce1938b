package runtime

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// crun's annotation for a filter of system calls as the kernel takes it, in base64, and
// the file of its state in which it keeps what it has compiled itself (crun(1); crun's
// seccomp.c).
const (
	crunFilters      = "run.oci.seccomp" // how all such annotations begin
	crunCompiled     = "run.oci.seccomp_bpf_data"
	crunCompiledFile = "seccomp.bpf"
)

// Sizes of the kernel's (linux/bpf_common.h): a program is 1 to 4096 instructions of
// eight bytes.
const (
	instruction     = 8
	maxInstructions = 4096
)

// TakesCompiled tells whether the runtime takes a compiled filter in place of the
// spec's, and the spec does not ask it for anything else to do with filters.
func (r *Runtime) TakesCompiled(spec *specs.Spec) bool {
	for key := range spec.Annotations {
		if strings.HasPrefix(key, crunFilters) {
			return false
		}
	}
	return r.kind().compiled != ""
}

// Compiled reads the filter that the runtime has compiled for a container, as
// WithCompiled takes it.
func (r *Runtime) Compiled(id string) (string, error) {
	file := path.Join(r.StateDir(id), r.kind().compiledFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	program, err := EncodeCompiled(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return program, nil
}

// EncodeCompiled is a compiled filter as WithCompiled takes it; an error if the kernel would take no
// program of this size.
func EncodeCompiled(program []byte) (string, error) {
	if n := len(program); n == 0 || n%instruction != 0 || n > maxInstructions*instruction {
		return "", fmt.Errorf("%d bytes are no filter", n)
	}
	return base64.StdEncoding.EncodeToString(program), nil
}

// WithCompiled is a copy of a spec with a compiled filter, which the runtime loads
// whatever the spec's own says.
func (r *Runtime) WithCompiled(spec *specs.Spec, program string) *specs.Spec {
	c := *spec
	c.Annotations = maps.Clone(spec.Annotations)
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[r.kind().compiled] = program
	return &c
}
