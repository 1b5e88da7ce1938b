package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"slipway/pkg/container"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
	"slipway/test/soak/look"
)

// insider does a job inside namespaces.
type insider struct {
	*tally
	engine *container.Engine
	oci    *runtime.Runtime
	runc   string
	only   string
	from   int // tries to pass over: they have been made
	begun  int
	look   look.Look
	before []string
}

// jobs are what runs inside.
var jobs = map[string]func(*insider) error{"runc": (*insider).killRuntime, "bundles": (*insider).spoilBundles}

// patience bounds what takes a moment, such as the end of what was killed; only a
// fault exceeds it.
const patience = time.Minute

// inside runs a job: its name, the seed, how many tries, how many were made, runc,
// which bundles.
func inside(args []string) int {
	err := func() error {
		if err := enclosure(); err != nil {
			return err
		}
		in := &insider{tally: newTally(args[0], 0, 0), runc: args[4], only: args[5]}
		var err error
		if in.seed, err = strconv.ParseUint(args[1], 10, 64); err != nil {
			return err
		}
		if in.wanted, err = strconv.Atoi(args[2]); err != nil {
			return err
		}
		if in.from, err = strconv.Atoi(args[3]); err != nil {
			return err
		}
		if err := in.prepare(); err != nil {
			return err
		}
		return jobs[args[0]](in)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (in *insider) prepare() error {
	reaper := reap.New()
	in.oci = &runtime.Runtime{Kind: runtime.KindOf(in.runc), Path: in.runc, Root: room + "/runc", Reaper: reaper, Timeout: 20 * time.Second}
	in.engine = &container.Engine{
		Runtimes: &runtime.Machine{Runtimes: []*runtime.Runtime{in.oci}},
		Reaper:   reaper, RunDir: room + "/run", Log: slog.New(slog.DiscardHandler),
	}
	if err := layImage(room + "/image"); err != nil {
		return err
	}
	in.look = look.Look{Dirs: []string{room + "/runc", room + "/run/containers", room + "/containers"}, Files: map[string]int{"PID 1": 1}}
	for _, dir := range append(in.look.Dirs, room+"/run/mounts") {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// layImage makes the root file system of all containers: busybox.
func layImage(dir string) error {
	for _, sub := range []string{"bin", "dev", "proc", "sys", "etc", "tmp", "run", "var", "mnt"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/bin/busybox", program, 0o755); err != nil {
		return err
	}
	for _, tool := range []string{"sh", "sleep", "true"} {
		if err := os.Symlink("busybox", dir+"/bin/"+tool); err != nil {
			return err
		}
	}
	return nil
}

// try does one thing, unless it was done before, and tells how it went: by its
// own fault, or because something is not as it was.
func (in *insider) try(name string, do func() error) {
	if in.begun++; in.begun <= in.from {
		return
	}
	tell(message{Begin: name})
	err := do()
	if err == nil {
		err = in.look.Same(in.before, patience)
	}
	m := message{Try: name}
	if err != nil {
		m.Fault = err.Error()
		// What is left must not be taken for the next one's.
		if now, err := in.look.Take(); err == nil {
			in.before = now
		}
	}
	tell(m)
}

// takeBaseline notes how everything is before the first try.
func (in *insider) takeBaseline() (err error) {
	in.before, err = in.look.Take()
	return err
}

func tell(m message) {
	data, err := json.Marshal(m)
	if err == nil {
		_, err = os.Stdout.Write(append(data, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
