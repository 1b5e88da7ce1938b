package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/runtime"
	"slipway/test/soak/stepper"
)

// runtime kills the OCI runtime at its system calls, once for each try.
func (s *soak) runtime(t *tally) error {
	err := s.enclosed(context.Background(), t, "runc")
	crun, findErr := exec.LookPath("crun")
	if findErr != nil {
		t.note("crun is not installed: not tried")
		return err
	}
	if !mayLock() {
		t.note("crun wants to raise its limit of locked memory, which is not allowed here: not tried")
		return err
	}
	with := *s
	with.runc = crun
	return errors.Join(err, with.enclosed(context.Background(), t, "runc"))
}

// mayLock tells whether the limit of locked memory may be raised, which crun does for
// the device filters of cgroup v2.
func mayLock() bool {
	var was unix.Rlimit
	all := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was) != nil || unix.Setrlimit(unix.RLIMIT_MEMLOCK, &all) != nil {
		return false
	}
	return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was) == nil
}

// stepArg is this program in the place of the runtime: it reads a plan, whose
// words are the verb that is to be killed, the stop at which, and one or all.
const (
	stepArg  = "step"
	planFile = room + "/plan"
)

func step(args []string) int {
	data, err := os.ReadFile(planFile)
	plan := strings.Fields(string(data))
	if err != nil || len(plan) != 3 || !slices.Contains(args, plan[0]) {
		fmt.Fprintln(os.Stderr, syscall.Exec(args[0], args, os.Environ()))
		return 1
	}
	at, err := strconv.Atoi(plan[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	stops, status, err := stepper.Run(args, at, plan[2] == "all")
	err = errors.Join(err, os.WriteFile(planFile+".stops", []byte(strconv.Itoa(stops)), 0o600))
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case status.Signaled():
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// verbs are the runtime's calls, and how one comes about.
var verbs = []struct {
	name string
	// hidden tells whether the call is made when the container runs already.
	later bool
	shape func(*specs.Spec, *bundle.Runtime)
	call  func(*insider, *container.Container) error
}{
	{name: "run", shape: func(*specs.Spec, *bundle.Runtime) {}},
	{name: "create", shape: wired},
	{name: "start", shape: wired},
	{name: "delete", later: true, call: func(_ *insider, c *container.Container) error { return ignoreKilled(c.Cleanup()) },
		shape: func(s *specs.Spec, _ *bundle.Runtime) {
			s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}}}
		}},
	{name: "exec", later: true, call: (*insider).exec, shape: func(*specs.Spec, *bundle.Runtime) {}},
}

func wired(s *specs.Spec, r *bundle.Runtime) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "network"})
	r.Interfaces = []bundle.Interface{{Name: "inner0", Add: "bridge"}}
}

// ignoreKilled is for a clean-up that says, rightly, that a hook was not run.
func ignoreKilled(err error) error {
	if err != nil && strings.Contains(err.Error(), "poststop hooks") {
		return nil
	}
	return err
}

func (in *insider) killRuntime() error {
	wrapper := room + "/runtime"
	script := fmt.Sprintf("#!/bin/sh\nexec %s/self %s %s \"$@\"\n", room, stepArg, in.runc)
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		return err
	}
	in.oci.Path = wrapper
	r := in.random()
	each := in.wanted / len(verbs)
	name := filepath.Base(in.runc)
	for i, verb := range verbs {
		b, err := in.lay("to-"+verb.name, verb.shape)
		if err != nil {
			return err
		}
		if err := in.takeBaseline(); err != nil {
			return err
		}
		// How many stops there are, and that all goes well when nobody is killed.
		if _, err := in.stepped(i, b, 0, "one"); err != nil {
			return fmt.Errorf("%s with nobody killed: %w", verb.name, err)
		}
		all, err := stopsMade()
		if err != nil {
			return err
		}
		for k := range each {
			at, whom := 1+(k*all+r.IntN(all))/each, "one"
			if k%4 == 3 {
				whom = "all"
			}
			in.try(fmt.Sprintf("%s %s, %s killed at stop %d of %d", name, verb.name, whom, at, all), func() error {
				failed, err := in.stepped(i, b, at, whom)
				if err != nil {
					return err
				}
				if failed {
					tell(message{Figure: "calls that failed", N: 1})
				}
				if err := in.look.Same(in.before, patience); err != nil {
					return err
				}
				return in.works(b)
			})
		}
		tell(message{Figure: name + " stops of " + verb.name, N: all})
	}
	return nil
}

func stopsMade() (int, error) {
	data, err := os.ReadFile(planFile + ".stops")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// stepped starts a container, with its runtime killed in the call that the verb
// is about, and ends it. It tells whether that made the start fail.
func (in *insider) stepped(i int, b *bundle.Bundle, at int, whom string) (failed bool, err error) {
	verb := verbs[i]
	arm := func() error {
		return os.WriteFile(planFile, fmt.Appendf(nil, "%s %d %s", verb.name, at, whom), 0o600)
	}
	disarm := func() error {
		if err := os.Remove(planFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if !verb.later {
		if err := arm(); err != nil {
			return false, err
		}
	}
	c, startErr := in.engine.Start(context.Background(), b, container.IO{})
	if startErr != nil {
		if verb.later || at == 0 {
			return true, startErr
		}
		return true, disarm()
	}
	if verb.later {
		if err := arm(); err != nil {
			return false, err
		}
		err = verb.call(in, c)
	}
	return false, errors.Join(err, disarm(), c.Cleanup())
}

// exec runs a program in a container; whatever happens, the container runs on.
func (in *insider) exec(c *container.Container) error {
	p, err := in.oci.StartExec(runtime.Exec{ID: "to-exec", Args: []string{"/bin/true"}, Log: room + "/exec.log"})
	if err != nil {
		return err
	}
	if _, err := in.engine.Reaper.Finish(context.Background(), p); err != nil {
		return err
	}
	if !c.Ident().Alive() {
		return errors.New("the container has ended with the program that was to run in it")
	}
	return nil
}

// works wants the next start of a container to go well.
func (in *insider) works(b *bundle.Bundle) error {
	c, err := in.engine.Start(context.Background(), b, container.IO{})
	if err != nil {
		return fmt.Errorf("the next start: %w", err)
	}
	if !c.Ident().Alive() {
		err = errors.New("the next start: it does not run")
	}
	return errors.Join(err, c.Cleanup())
}

// lay makes a sound bundle: read-write, its program sleeps.
func (in *insider) lay(name string, shape func(*specs.Spec, *bundle.Runtime)) (*bundle.Bundle, error) {
	dir := filepath.Join(room, "containers", "services", name)
	for _, sub := range []string{"rootfs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	spec, runtime := soundSpec(), bundle.Runtime{Mounts: []specs.Mount{
		{Source: "tmpfs", Destination: dir + "/tmp", Type: "tmpfs"},
		{Source: "overlay", Destination: dir + "/rootfs", Type: "overlay", Options: []string{
			"lowerdir=" + room + "/image", "upperdir=" + dir + "/tmp/upper", "workdir=" + dir + "/tmp/work"}},
	}}
	shape(spec, &runtime)
	for file, v := range map[string]any{"config.json": spec, "runtime.json": runtime} {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			return nil, err
		}
	}
	return bundle.Load(bundle.Services, dir)
}

func soundSpec() *specs.Spec {
	return &specs.Spec{
		Version: "1.0.2",
		Process: &specs.Process{Args: []string{"/bin/sleep", "100000"}, Cwd: "/", Env: []string{"PATH=/bin"}, Capabilities: &specs.LinuxCapabilities{}},
		Root:    &specs.Root{Path: "rootfs"},
		Mounts: []specs.Mount{
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec", "relatime"}},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "mount"}}, Resources: &specs.LinuxResources{}},
	}
}
