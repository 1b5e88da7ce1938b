package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway/pkg/qemu"
)

// detachedEnv tells a program that it is the background half of
// `slipway run --detach`; readyFD is where it says that the machine runs.
const (
	detachedEnv = "SLIPWAY_DETACHED"
	readyFD     = 3
	ready       = "ready\n"
)

// detach starts this program again, in a session of its own, and waits until
// the machine runs or cannot.
func (f *runFlags) detach() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), detachedEnv+"=1")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		return err
	}
	said, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("hear of the half in the background: %w", err)
	}
	if string(said) != ready {
		fmt.Fprintln(os.Stderr, "slipway:", strings.TrimSpace(string(said)))
		return statusOf(cmd.Wait())
	}
	fmt.Fprintf(os.Stderr, "slipway: run: %s runs in the background, its state is in %s\n", f.config.Name, f.state)
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("release the half in the background: %w", err)
	}
	return nil
}

// statusOf takes over the exit status of the half that failed.
func statusOf(err error) error {
	if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() > 0 {
		return exitError(exit.ExitCode())
	}
	return exitError(qemu.StatusFailed)
}

// background is the other half: it has no terminal, and its console is a
// socket in the state directory.
func (f *runFlags) background() error {
	pipe := os.NewFile(readyFD, "ready")
	b, err := qemu.EnterBackground(f.state)
	if err != nil {
		return tell(pipe, err)
	}
	con := b.Console()
	refuse := func(err error) error {
		if f.config.Metadata != "" {
			_ = os.Remove(f.config.Metadata) // made anew for each run
		}
		return tell(pipe, errors.Join(err, b.Refuse()))
	}
	if err := f.metadata(); err != nil {
		return refuse(err)
	}
	log, err := f.openLog()
	if err != nil {
		return refuse(err)
	}
	if log != nil {
		con.Log = log
	}
	chart := f.bootChart(&con, func(string) {})
	vm, err := qemu.Start(f.config, f.watch, con)
	if err != nil {
		return refuse(err)
	}
	if !vm.AwaitUp() {
		res := vm.Wait()
		return errors.Join(exitError(res.Status()), refuse(errors.New(res.String())))
	}
	if err := qemu.Register(machinesDirectory(), f.state); err != nil {
		fmt.Fprintln(con.Output, "slipway:", err) // and only `slipway ps` lacks it
	}
	vm.Obey(func(string) {})
	served := make(chan error, 1)
	go func() { served <- b.Serve(vm) }()
	if err := tell(pipe, nil); err != nil {
		return err
	}
	res := vm.Wait()
	result := res.String()
	if err := chart.result(); err != nil {
		result += "; " + err.Error()
	}
	err = errors.Join(b.Leave(result), <-served)
	if log != nil {
		err = errors.Join(err, log.Close())
	}
	return err
}

// tell reports to the half that waits, and passes its error on.
func tell(pipe *os.File, err error) error {
	text := ready
	if err != nil {
		text = err.Error()
	}
	_, werr := io.WriteString(pipe, text)
	return errors.Join(err, werr, pipe.Close())
}

// cacheDirectory is for what can be found out again.
func cacheDirectory() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "slipway")
}

func machinesDirectory() string { return filepath.Join(cacheDirectory(), "machines") }

func newPsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ps",
		Short: "list the machines that run in the background",
		Args:  cobra.NoArgs,

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			all, err := qemu.Machines(machinesDirectory())
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
			psTable(table, all)
			return table.Flush()
		},
	}
}

// psTable writes columns that end with tabs; a table keeps its error for Flush.
func psTable(w io.Writer, all []qemu.Running) {
	fmt.Fprintln(w, "NAME\tPID\tUP\tSTATE")
	for _, m := range all {
		name := strings.TrimSuffix(filepath.Base(m.State), "-state")
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", name, m.PID, time.Since(m.Started).Round(time.Second), m.State)
	}
}

func newStopCommand() *cobra.Command {
	var state string
	var kill bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "stop [flags] NAME",
		Short: "power off a machine that runs in the background",
		Args:  oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usageError{fmt.Errorf("--timeout %s: want a duration above 0, such as 90s", timeout)}
			}
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			result, err := qemu.StopBackground(ctx, stateOf(args[0], state), kill)
			if err == nil {
				fmt.Fprintln(os.Stderr, "slipway: stop:", result)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "the machine's state directory (default NAME-state)")
	completeMachine(cmd)
	cmd.Flags().BoolVar(&kill, "kill", false, "end it at once, as if its plug were pulled")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "longest wait for its end")
	return cmd
}

func newConsoleCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "console [flags] NAME",
		Short: "look at the console of a machine that runs in the background (Ctrl-] leaves it)",
		Args:  oneName,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			conn, err := qemu.DialConsole(stateOf(args[0], state))
			if err != nil {
				return err
			}
			term, err := qemu.OpenTerminal(os.Stdin, os.Stdout)
			if err != nil {
				return errors.Join(err, conn.Close())
			}
			tell, hangUp := qemu.DialWindow(stateOf(args[0], state))
			defer term.FollowWindow(os.Stdout, tell)()
			return errors.Join(qemu.Look(conn, os.Stdin, os.Stdout, term), term.Restore(), hangUp())
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "the machine's state directory (default NAME-state)")
	completeMachine(cmd)
	return cmd
}

func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%swant one NAME, and not %d", about(cmd), len(args))}
	}
	return nil
}

func stateOf(name, state string) string { return cmp.Or(state, name+"-state") }
