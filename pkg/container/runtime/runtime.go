// Package runtime drives the command line of an OCI runtime, for creating and
// starting containers. What it leaves behind is cleaned up by package
// container: a runtime that was killed half way does not do that itself.
package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// defaultTimeout is that of a Runtime that says nothing of it, for a call with no other bound.
const defaultTimeout = 2 * time.Minute

// Runtime is an OCI runtime to call.
type Runtime struct {
	Kind    *Kind         // nil: by the name of the program
	Path    string        // of the program; "": the Kind's
	Root    string        // of its state; "": the Kind's
	Timeout time.Duration // of one call; 0: that of its context, else two minutes
	// Debug, as linuxkit.runc_debug asks for, makes the runtime say what it
	// does; it is copied to DebugOut after each call.
	Debug    bool
	DebugOut *os.File
	Reaper   *reap.Reaper
}

// Call says what container a call is about.
type Call struct {
	ID      string
	Bundle  string   // directory of config.json
	PidFile string   // where the runtime writes the pid of the container
	Log     string   // where it writes what went wrong
	Stdout  *os.File // the container's; nil: /dev/null
	Stderr  *os.File
	Began   func(pid int) // hears of the runtime's process; nil: nobody does
	Hooks   []Hook        // what the runtime is to run, to name what hangs
}

// Create makes the container and its namespaces, its program not yet running.
func (r *Runtime) Create(ctx context.Context, c Call) error { return r.call(ctx, "create", c) }

// Start lets the program of a created container run.
func (r *Runtime) Start(ctx context.Context, c Call) error { return r.call(ctx, "start", c) }

// Run is Create and Start in one process fewer.
func (r *Runtime) Run(ctx context.Context, c Call) error { return r.call(ctx, "run", c) }

// Delete runs the container's poststop hooks and takes its state away.
func (r *Runtime) Delete(ctx context.Context, c Call) error { return r.call(ctx, "delete", c) }

func (r *Runtime) kind() *Kind {
	if r.Kind == nil {
		return KindOf(r.Path)
	}
	return r.Kind
}

// Program is the path of the runtime's program.
func (r *Runtime) Program() string { return cmp.Or(r.Path, r.kind().Path) }

func (r *Runtime) root() string { return cmp.Or(r.Root, r.kind().Root) }

// Name is what people call the runtime: its kind, or its program if that lies
// elsewhere.
func (r *Runtime) Name() string {
	if r.Program() == r.kind().Path {
		return r.kind().Name
	}
	return r.Program()
}

// Fit is a spec as the runtime is to get it, so that it comes to what it comes to with
// runc: the same, or a copy.
func (r *Runtime) Fit(spec *specs.Spec) *specs.Spec {
	fitted := *spec
	if r.kind().Strict {
		fitted.Version = LowestVersion(spec)
	}
	if p := r.kind().propagation; p != "" && spec.Linux != nil && spec.Linux.RootfsPropagation == "" {
		l := *spec.Linux
		l.RootfsPropagation, fitted.Linux = p, &l
	}
	if r.kind().open {
		fitted.Linux = denyDevices(fitted.Linux)
	}
	if fitted.Version == spec.Version && fitted.Linux == spec.Linux {
		return spec
	}
	return &fitted
}

// denyDevices begins the rules for devices with one that denies all but tunnels, as runc
// does; both runtimes add those of every container.
func denyDevices(said *specs.Linux) *specs.Linux {
	var l specs.Linux
	if said != nil {
		l = *said
	}
	var r specs.LinuxResources
	if l.Resources != nil {
		r = *l.Resources
	}
	tunMajor, tunMinor := int64(10), int64(200)
	r.Devices = append([]specs.LinuxDeviceCgroup{
		{Access: "rwm"}, {Allow: true, Type: "c", Major: &tunMajor, Minor: &tunMinor, Access: "rwm"},
	}, r.Devices...)
	l.Resources = &r
	return &l
}

// global are the options before the verb.
func (r *Runtime) global(log string) []string {
	args := append([]string{"--root", r.root()}, r.kind().Options...)
	if log != "" {
		args = append(args, "--log", log, "--log-format", "json")
	}
	return args
}

// Args are the arguments of one call.
func (r *Runtime) Args(verb string, c Call) []string {
	args := r.global(c.Log)
	if r.Debug {
		args = append(args, "--debug")
	}
	switch verb {
	case "create":
		args = append(args, verb, "--bundle", c.Bundle, "--pid-file", c.PidFile)
	case "run":
		args = append(args, verb, "--detach", "--bundle", c.Bundle, "--pid-file", c.PidFile)
	case "delete":
		args = append(args, verb, "--force")
	default:
		args = append(args, verb)
	}
	// Nothing behind -- is an option, whatever the name.
	return append(args, "--", c.ID)
}

// Late is that a call took longer than it may; it is context.DeadlineExceeded too.
type Late time.Duration

func (l Late) Error() string { return fmt.Sprintf("not done after %s", time.Duration(l)) }

// Is tells that it is a timeout.
func (l Late) Is(target error) bool { return target == context.DeadlineExceeded }

// call runs the runtime and waits for it. A context that ends, or the timeout,
// kills it with all it has started.
func (r *Runtime) call(ctx context.Context, verb string, c Call) error {
	ctx, cancel := r.bound(ctx)
	defer cancel()
	cmd := r.command(verb, c)
	closeNull := r.nothing(cmd)
	p, err := r.Reaper.Start(cmd)
	closeNull()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such program: the image needs an OCI runtime, such as slipway/%s or LinuxKit's runc image, in its init section: %w", r.Program(), r.kind().Name, err)
	}
	if err != nil {
		return err
	}
	shield(p.Pid())
	if c.Began != nil {
		c.Began(p.Pid())
	}
	status, err := r.finish(ctx, p, c)
	message := lastError(status, c.Log)
	debugErr := r.copyDebug(c.Log)
	if err != nil {
		return errors.Join(fmt.Errorf("%s %s: %w", path.Base(r.Program()), verb, err), debugErr)
	}
	if !status.Success() {
		endOthers(c) // it may have been killed
		return errors.Join(&Error{Runtime: r.kind().Name, Verb: verb, Status: status, Message: message}, debugErr)
	}
	return debugErr
}

// bound gives a call its time: what a container's policy says is not cut short.
func (r *Runtime) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded && r.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	timeout := cmp.Or(r.Timeout, defaultTimeout)
	return context.WithTimeoutCause(ctx, timeout, Late(timeout))
}

// finish waits for the runtime, or kills it and says why, and in which hook.
func (r *Runtime) finish(ctx context.Context, p *reap.Process, c Call) (reap.Status, error) {
	status, err := p.Wait(ctx)
	if err == nil {
		return status, nil
	}
	// Stopped, it starts nothing more while what it has started is looked for.
	if err := r.Reaper.Signal(p, unix.SIGSTOP); err != nil {
		return status, err
	}
	why := context.Cause(ctx)
	if hook := killTree(p.Pid(), c.Hooks); hook != "" {
		why = fmt.Errorf("%s: %w", hook, why)
	}
	if _, err = r.Reaper.Finish(ctx, p); errors.Is(err, reap.ErrStays) {
		return status, fmt.Errorf("%w, killed: process %d %w", why, p.Pid(), reap.ErrStays)
	}
	if hook := endOthers(c); hook != "" {
		why = fmt.Errorf("%s: %w", hook, why)
	}
	return status, fmt.Errorf("%w, killed", why)
}

// command is what is executed: from the root directory, because a bundle that is
// somebody's working directory cannot be unmounted, and without the variables
// that would make the runtime talk to whoever started us. A runtime written in
// Go does one thing after the other: with more than one processor its threads
// would only wake each other. The container's environment is config.json's.
func (r *Runtime) command(verb string, c Call) *exec.Cmd {
	cmd := exec.Command(r.Program(), r.Args(verb, c)...)
	cmd.Dir = "/"
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "NOTIFY_SOCKET=") && !strings.HasPrefix(v, "LISTEN_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "GOMAXPROCS=1"), r.scratch(c.Log)...)
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	cmd.SysProcAttr = ownGroup()
	return cmd
}

// scratch has what a killed runtime leaves mounted lie where its log is, for whoever
// clears that away.
func (r *Runtime) scratch(log string) []string {
	if r.kind().scratch == "" || log == "" {
		return nil
	}
	return []string{r.kind().scratch + "=" + path.Dir(log)}
}

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// copyDebug shows what the runtime logged in debug mode, and empties the log,
// so that the next call's is not shown with it.
func (r *Runtime) copyDebug(file string) error {
	if !r.Debug || r.DebugOut == nil {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err = r.DebugOut.Write(data); err != nil {
		return err
	}
	return os.Truncate(file, 0)
}
