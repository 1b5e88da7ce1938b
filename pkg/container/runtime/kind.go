package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// Kind is what differs between the OCI runtimes that we know.
type Kind struct {
	Name string // of the program, and in policies
	Path string // where an image has it
	Root string // where it keeps its state when it is run by hand
	// Options are global ones that it takes beside those that all take.
	Options []string
	// Strict: versions take only the 1.0 of the specification, so a spec has to say
	// the lowest that it needs.
	Strict bool

	// propagation is what has mounts of the machine reach a container whose spec says
	// nothing of it, as runc has them; "": its own default.
	propagation string
	// open: of a spec that says nothing of devices it lets a container that may make
	// device files have all of them.
	open bool
	// scratch is the variable that names the directory in which it mounts itself for a
	// moment, to run from what nobody can write to; "": it does not.
	scratch string

	// forgets: a program that it runs in a container is not confined as the
	// container's own is (no_new_privs), unless it is told so.
	forgets bool
	// chowns: it gives streams to the container's user, devices too.
	chowns bool
	// sizeless: its exec passes on that a window has changed, and not to what.
	sizeless bool
	// silent: what goes wrong before an exec's program runs stands in its log alone, not
	// on standard error too.
	silent bool

	// execTakes is how many processes and threads its exec has in a container before the program runs. With fewer,
	// Go's dump is what it writes on the program's standard error. 0: it says by itself what it lacks.
	execTakes uint64

	// compiled is the annotation by which it takes a compiled filter of system calls; "":
	// it takes none. compiledFile is what of a container's state has the one it has
	// compiled itself.
	compiled, compiledFile string

	stateFile string
	// state reads that file, of a process that may be gone.
	state func(file string) (reap.Ident, string, error)
	// inHook tells whether a container's first process still is the runtime's own,
	// which runs the startContainer hooks.
	inHook func(pid int, id string) bool
}

// Kinds are the runtimes that we know, the preferred first.
var Kinds = []*Kind{
	{
		Name: "runc", Path: bundle.RuntimeProgram("runc"), Root: "/run/runc",
		execTakes: 5, // 1.5.2, measured
		stateFile: "state.json", state: runcState, inHook: isRuncInit,
	},
	{
		// Built with systemd, some versions would ask it for cgroups.
		Name: "crun", Path: bundle.RuntimeProgram("crun"), Root: "/run/crun", Options: []string{"--cgroup-manager", "cgroupfs"},
		Strict: true, propagation: "rslave", open: true, forgets: true, chowns: true, sizeless: true, silent: true, scratch: "_LIBCONTAINER_STATEDIR",
		compiled: crunCompiled, compiledFile: crunCompiledFile,
		stateFile: "status", state: crunState, inHook: isCrunInit,
	},
}

// KindOf is the kind of a program by its name: crun, crun-1.28 and the like are crun,
// all others are called as runc is.
func KindOf(program string) *Kind {
	for _, k := range Kinds[1:] {
		if strings.HasPrefix(path.Base(program), k.Name) {
			return k
		}
	}
	return Kinds[0]
}

// runcState reads libcontainer's state.json.
func runcState(file string) (reap.Ident, string, error) {
	var state struct {
		Pid    int    `json:"init_process_pid"`
		Start  uint64 `json:"init_process_start"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	err := readJSON(file, &state)
	var dir string
	for _, l := range state.Config.Labels {
		if is := strings.HasPrefix(l, "bundle="); is && dir == "" {
			dir = strings.TrimPrefix(l, "bundle=")
		}
	}
	return reap.Ident{Pid: state.Pid, Start: state.Start}, dir, err
}

// crunState reads libcrun's status.
func crunState(file string) (reap.Ident, string, error) {
	var state struct {
		Pid    int    `json:"pid"`
		Start  uint64 `json:"process-start-time"`
		Bundle string `json:"bundle"`
	}
	err := readJSON(file, &state)
	return reap.Ident{Pid: state.Pid, Start: state.Start}, state.Bundle, err
}

// isRuncInit goes by the name that runc gives its processes.
func isRuncInit(pid int, _ string) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && bytes.HasPrefix(name, []byte("runc:["))
}

// isCrunInit goes by the arguments, which crun's processes have in common.
func isCrunInit(pid int, id string) bool { return callsRuntime(reap.ReadProc(pid, "cmdline"), id) }
