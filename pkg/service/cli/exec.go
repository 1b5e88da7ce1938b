package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/runtime"
	"slipway/pkg/keeper"
	"slipway/pkg/reap"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
)

func execFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.BoolVar(&o.tty, "t", isTerminal(0) && isTerminal(1), "give the program a terminal, as is done when this has one")
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// exitStatus is a failure that is a program's own, with its status.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// runExec runs a program in a container. The supervisor starts it, with the
// streams of this process: then it works in whatever container this command is
// called in, as long as that sees the control socket.
func runExec(c *call) error {
	if len(c.args) < 2 || c.args[1] == "" {
		return usageError{"exec wants a container and a command: service exec NAME -- COMMAND"}
	}
	if c.tty && !isTerminal(0) {
		return usageError{"exec -t: standard input is no terminal"}
	}
	p := control.Program{Args: c.args[1:], Terminal: c.tty, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}
	if term := os.Getenv("TERM"); term != "" && c.tty {
		p.Env = []string{"TERM=" + term}
	}
	if c.json {
		return execJSON(c, p)
	}
	status, err := c.execute(p)
	if err != nil {
		return err
	}
	if code := status.ExitCode(); code != 0 {
		return exitStatus(code)
	}
	return nil
}

// execute asks the supervisor, and does without it for what is no service, or
// when there is none.
func (c *call) execute(p control.Program) (reap.Status, error) {
	defer keepTerminal()()
	signal.Reset(unix.SIGQUIT) // it is the program's, too
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	defer signal.Stop(signals)
	run, err := c.client().Exec(c.args[0], p)
	var refused *control.Refused
	if errors.Is(err, control.ErrNoSupervisor) || errors.As(err, &refused) && refused.Status == 404 {
		return c.executeHere(p, signals)
	}
	if err != nil {
		return reap.Status{}, err
	}
	go func() {
		for s := range signals {
			if err := run.Signal(s.(unix.Signal)); err != nil {
				return // it has ended
			}
		}
	}()
	status, err := run.Wait()
	if errors.Is(err, control.ErrLost) {
		// The program runs on, and its end will be in the keeper's ledger.
		exit, err := keeper.Wait(context.Background(), c.paths.RunDir(), run.Ident())
		return exit.Status, err
	}
	if reason := run.Reason(); reason != "" {
		say(p.Files[2], "service: %s\n", reason)
	}
	return status, err
}

// keepTerminal remembers how the terminal is, and gives the means to put it back
// so: a runtime that is killed leaves it raw.
func keepTerminal() func() {
	saved, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(0, unix.TCSETSW, saved) } // it may have been hung up
}

// executeHere calls the OCI runtime itself, whose place is the machine and not a
// container. Keys and a changed window reach all that this terminal has in the
// foreground, so of the signals the latter alone may have to be passed on.
func (c *call) executeHere(p control.Program, signals <-chan os.Signal) (reap.Status, error) {
	section, directory, err := locate(c, c.args[0])
	if err != nil {
		return reap.Status{}, err
	}
	e := container.Engine{Runtimes: runtimes(c.paths, guest.Options{}, nil), RunDir: c.paths.RunDir()}
	r := e.RuntimeOf(section, directory)
	dir, err := os.MkdirTemp("", "exec-")
	if err != nil {
		return reap.Status{}, fmt.Errorf("run program: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies in memory
	x := runtime.Exec{ID: directory, Args: p.Args, Env: p.Env, Terminal: p.Terminal, Stdin: p.Files[0], Stdout: p.Files[1], Stderr: p.Files[2]}
	if b, err := bundle.Load(section, filepath.Join(c.paths.Section(section), directory)); err == nil {
		if err := e.Room(r, b); err != nil {
			return reap.Status{}, fmt.Errorf("run %s in %s: %w", strings.Join(p.Args, " "), b.Name, err)
		}
		x.Process, err = container.Describe(r, b, container.Program{Args: p.Args, Env: p.Env, Terminal: p.Terminal, Stdin: p.Files[0]}, dir)
		if err != nil {
			return reap.Status{}, err
		}
	}
	cmd := r.ExecCommand(x)
	cmd.SysProcAttr = nil // Ctrl-C is for all of this terminal
	if err := cmd.Start(); err != nil {
		return reap.Status{}, fmt.Errorf("run %s: %w", r.Program(), err)
	}
	if id, err := reap.Identify(cmd.Process.Pid); err == nil {
		go func() {
			for s := range signals {
				if s == unix.SIGWINCH && r.PassOn(id, unix.SIGWINCH) != nil {
					return // it has ended
				}
			}
		}()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return reap.Status{}, fmt.Errorf("run %s: %w", r.Program(), err)
	}
	return reap.Status{Code: cmd.ProcessState.ExitCode()}, nil
}
