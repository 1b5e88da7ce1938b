package runtime

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Machine is the runtimes that a machine has, and which of them a container gets.
type Machine struct {
	// Runtimes are one of each kind, the preferred first. Each keeps its state in a
	// directory of its own.
	Runtimes []*Runtime
	// Wanted is what containers get that ask for none: the name of a kind or the path of a
	// program; "": the first of the Runtimes whose program is there.
	Wanted string
}

// Choose finds the runtime of a container that asks for one by the name of a kind or
// the path of a program, or, with "", for none. Whether its program is there shows
// when it is called.
func (m *Machine) Choose(asked string) *Runtime {
	asked = cmp.Or(asked, m.Wanted)
	for _, r := range m.Runtimes {
		if asked == "" && exists(r.Program()) || asked == r.kind().Name || asked == r.Program() {
			return m.behind(r)
		}
	}
	if asked == "" {
		return m.Runtimes[0]
	}
	return m.at(asked)
}

func exists(program string) bool {
	_, err := os.Stat(program)
	return err == nil
}

// behind is the runtime to which a program of another's name leads: where an image has
// crun alone, the builder makes runc a link to it.
func (m *Machine) behind(r *Runtime) *Runtime {
	if program, err := filepath.EvalSymlinks(r.Program()); err == nil && program != r.Program() && KindOf(program) != r.kind() {
		return m.at(program)
	}
	return r
}

// at is the runtime of the kind of a program, or of what it is a link to, with this
// program.
func (m *Machine) at(program string) *Runtime {
	kind := KindOf(program)
	if target, err := filepath.EvalSymlinks(program); err == nil {
		kind = KindOf(target)
	}
	r := *m.Runtimes[0]
	for _, one := range m.Runtimes {
		if one.kind() == kind {
			r = *one
		}
	}
	r.Kind, r.Path = kind, program
	return &r
}

// Holder is the runtime that knows a container; nil if none does.
func (m *Machine) Holder(id string) *Runtime {
	for _, r := range m.Runtimes {
		if _, err := os.Lstat(r.StateDir(id)); err == nil {
			return r
		}
	}
	return nil
}

// recordFile is the file of a container's record that says which program runs it.
const recordFile = "runtime"

// Record notes in a directory that a container is started by this runtime.
func (r *Runtime) Record(dir string) error {
	return os.WriteFile(path.Join(dir, recordFile), []byte(r.Program()), 0o600)
}

// Recorded is the runtime that a directory names. Before there were several kinds none
// was named, and it was runc.
func (m *Machine) Recorded(dir string) (*Runtime, error) {
	program, err := os.ReadFile(path.Join(dir, recordFile))
	if len(program) == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		return m.Runtimes[0], nil
	}
	if err != nil {
		return m.Runtimes[0], err
	}
	return m.Choose(string(program)), nil
}
