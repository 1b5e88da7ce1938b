package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
)

// Program is what to run in a container, and its streams.
type Program struct {
	Args, Env             []string
	Terminal              bool
	Stdin, Stdout, Stderr *os.File
}

// Session is a program that runs in a container.
type Session interface {
	// Ident is the OCI runtime's process, which ends as the program does.
	Ident() reap.Ident
	// Signal passes a signal on to the program.
	Signal(sig unix.Signal) error
	// Kill ends the program; the runtime around it then ends too.
	Kill() error
	// Wait waits for the program's end.
	Wait(ctx context.Context) (reap.Status, error)
	// Reason says, after that, why the program did not run; "" where its standard error
	// does.
	Reason() string
}

// Exec runs a program in a running container, its output nowhere, and waits.
// When ctx ends first the program is killed, not only the runtime around it.
func (e *Engine) Exec(ctx context.Context, b *bundle.Bundle, argv []string) (reap.Status, error) {
	s, err := e.begin(b, Program{Args: argv})
	if err != nil {
		return reap.Status{}, err
	}
	status, err := s.Wait(ctx)
	if err == nil {
		return status, nil
	}
	killErr := s.Kill()
	_, err = e.Reaper.Finish(ctx, s.process) // the runtime too, should it stay
	err = fmt.Errorf("run %s in %s: %w", strings.Join(argv, " "), b.Name, err)
	return status, errors.Join(err, killErr, discard(s.dir, os.RemoveAll))
}

// Forget removes what sessions of a supervisor that was killed have left. Their
// programs go on.
func Forget(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "exec-*"))
	for _, name := range names {
		err = errors.Join(err, discard(name, os.RemoveAll))
	}
	return err
}

// session has a directory of its own while it lasts.
type session struct {
	id      reap.Ident
	process *reap.Process
	runtime *runtime.Runtime
	dir     string
	reason  atomic.Pointer[string]
}

func (e *Engine) begin(b *bundle.Bundle, p Program) (*session, error) {
	dir, err := os.MkdirTemp(e.RunDir, "exec-")
	if err != nil {
		return nil, fmt.Errorf("run in %s: %w", b.Name, err)
	}
	oci := e.recorded(b)
	s := &session{runtime: oci, dir: dir}
	call := runtime.Exec{
		ID: b.Name, Args: p.Args, Env: p.Env, Terminal: p.Terminal, PidFile: s.pidFile(), Log: s.log(),
		Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr,
	}
	if err = e.Room(oci, b); err == nil {
		call.Process, err = Describe(oci, b, p, dir)
	}
	if err == nil {
		s.process, err = oci.StartExec(call)
	}
	if err != nil {
		err = fmt.Errorf("run %s in %s: %w", strings.Join(p.Args, " "), b.Name, err)
		return nil, errors.Join(err, discard(dir, os.RemoveAll))
	}
	if s.id, err = reap.Identify(s.process.Pid()); err != nil {
		s.id = reap.Ident{Pid: s.process.Pid()} // it has ended already
	}
	return s, nil
}

// Room is an error if a container's limit has no room for what the runtime takes to run a program in it.
func (e *Engine) Room(oci *runtime.Runtime, b *bundle.Bundle) error {
	takes := oci.ExecTakes()
	if takes == 0 {
		return nil
	}
	g, err := e.group(b)
	if err != nil {
		return nil // nor does the runtime ask for the group by our rules
	}
	if err := g.Room(takes); err != nil {
		return fmt.Errorf("%w, and %s takes %d more to run a program there", err, oci.Name(), takes)
	}
	return nil
}

// Describe describes a program in a file in dir where there is no other way to tell
// the runtime all of it: the size of a terminal before the program asks for it, and to
// crun what the container's own process is confined to. It returns "" where there is
// nothing to tell.
func Describe(oci *runtime.Runtime, b *bundle.Bundle, p Program, dir string) (file string, err error) {
	if b.Spec == nil || b.Spec.Process == nil {
		return "", nil
	}
	process := *b.Spec.Process
	process.Args, process.Env = p.Args, slices.Concat(process.Env, p.Env)
	process.Terminal, process.ConsoleSize = p.Terminal, windowSize(p)
	if process.ConsoleSize == nil && !oci.Forgets() {
		return "", nil
	}
	data, err := json.Marshal(process)
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "process.json")
	return file, os.WriteFile(file, data, 0o600)
}

// windowSize is the size of a program's terminal; nil: it has none to tell, and one
// without a size is a terminal all the same.
func windowSize(p Program) *specs.Box {
	if !p.Terminal || p.Stdin == nil {
		return nil
	}
	size, err := unix.IoctlGetWinsize(int(p.Stdin.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return nil
	}
	return &specs.Box{Height: uint(size.Row), Width: uint(size.Col)}
}

func (s *session) pidFile() string { return filepath.Join(s.dir, "pid") }

func (s *session) log() string { return filepath.Join(s.dir, "log") }

func (s *session) Ident() reap.Ident { return s.id }

func (s *session) Signal(sig unix.Signal) error { return s.runtime.PassOn(s.id, sig) }

func (s *session) Kill() error {
	pid, err := runtime.ReadPid(s.pidFile())
	if err != nil {
		return s.id.Signal(unix.SIGKILL) // the runtime has not got that far
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}

func (s *session) Wait(ctx context.Context) (reap.Status, error) {
	status, err := s.process.Wait(ctx)
	if err != nil {
		return status, err
	}
	status, reason := s.runtime.ExecStatus(status, s.log())
	if reason != "" {
		s.reason.Store(&reason) // another Wait may be at it
	}
	return status, discard(s.dir, os.RemoveAll)
}

func (s *session) Reason() string {
	if reason := s.reason.Load(); reason != nil {
		return *reason
	}
	return ""
}
