package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/keeper"
	"slipway/pkg/log/fdstore"
	"slipway/pkg/machine"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
)

// runServices is 020-services: it leaves the keeper behind, which runs the
// supervisor, and returns when the first start of all services is over.
func runServices(c *call) error {
	kept, err := isKept(c.paths)
	if err != nil {
		return err
	}
	if kept {
		// An image with LinuxKit's containerd entry and ours has two names for it.
		if !c.quiet {
			say(c.out, "services: they are looked after already\n")
		}
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	defer r.Close()
	cmd := selfCommand("keep", c.pathFlags())
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("start keeper: %w", err)
	}
	if _, err := r.Read(make([]byte, 16)); err != nil {
		return fmt.Errorf("the keeper ended before the services were up: %w", err)
	}
	return nil
}

// isKept tells whether somebody keeps a supervisor already: PID 1, or a daemon.
func isKept(p guest.Paths) (bool, error) {
	ledger, err := keeper.Open(p.RunDir())
	if errors.Is(err, keeper.ErrKept) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, ledger.Close()
}

// selfCommand is another part of this program. The new process takes the
// program that lies there then, which is how an upgrade takes over.
func selfCommand(part string, flags []string) *exec.Cmd {
	cmd := exec.Command(selfPath())
	cmd.Args = append([]string{"service", part}, flags...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// selfPath is where this program lies; if it is gone, itself.
func selfPath() string {
	if name, err := os.Executable(); err == nil {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return "/proc/self/exe"
}

// pathFlags hands the paths on to a child.
func (c *call) pathFlags() []string {
	p := c.paths
	flags := []string{"-containers", p.Containers, "-run", p.Run, "-log", p.Log, "-var", p.Var, "-runc", p.Runc, "-runc-root", p.RuncRoot}
	// A program of before there were two would refuse these.
	if d := guest.Default(); p.Crun != d.Crun || p.CrunRoot != d.CrunRoot {
		flags = append(flags, "-crun", p.Crun, "-crun-root", p.CrunRoot)
	}
	if p.Services != "" {
		flags = append(flags, "-path", p.Services)
	}
	return flags
}

func keeperPid(p guest.Paths) string { return p.RunDir("keeper.pid") }

// runKeep is the daemon that keeps the supervisor.
func runKeep(c *call) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer cancel()
	outlive(unix.SIGHUP, unix.SIGPIPE)
	protect()
	g, err := openGuest(c)
	if err != nil {
		return err
	}
	g.OpenPort() // and holds it, for all supervisors
	store, err := fdstore.NewStore()
	if err != nil {
		return err
	}
	store.Warn = func(err error) { g.Say("keeper: %s", err) }
	go func() {
		if err := store.Serve(); err != nil {
			g.Say("keeper: %s", err)
		}
	}()
	if err := machine.WriteFile(keeperPid(c.paths), []byte(strconv.Itoa(os.Getpid()))); err != nil {
		return err
	}
	if err := reap.SetSubreaper(); err != nil {
		return err
	}
	reaper := reap.New()
	ledger, err := keeper.KeepExits(c.paths.RunDir(), reaper, func(err error) { g.Say("keeper: %s", err) })
	if err != nil {
		return err
	}
	k := &keeper.Keeper{
		Reaper: reaper, Program: selfPath(), Say: g.Say, Ready: sync.OnceFunc(tellParent), Dir: c.paths.RunDir(),
		Command: func(program string) *exec.Cmd {
			cmd := selfCommand("supervise", c.pathFlags())
			cmd.Path = program
			cmd.ExtraFiles = []*os.File{store.Child}
			g.Port.Hand(cmd, 1) // behind the pipe on which it speaks to its keeper
			return cmd
		},
	}
	err = k.Run(ctx)
	return errors.Join(err, os.Remove(keeperPid(c.paths)), ledger.Close(), store.Close(), g.Close())
}

// tellParent lets 020-services go on. It may have been killed meanwhile.
func tellParent() {
	ready := os.NewFile(machine.WordsFD, "ready")
	_, _ = ready.WriteString("ready\n")
	ready.Close()
}

// stopKeeper stops the services of a keeper that is not PID 1, and waits.
func stopKeeper(p guest.Paths) error {
	data, err := os.ReadFile(keeperPid(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find keeper: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid < 2 {
		return fmt.Errorf("stop services: %s names no process", keeperPid(p))
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return fmt.Errorf("stop services: %w", err)
	}
	limit := machine.ReadLimit(p.RunDir(), string(bundle.Services)) + keeperTime
	for begin := time.Now(); unix.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > limit {
			return fmt.Errorf("stop services: still there after %s, going on without", limit.Round(time.Second))
		}
	}
	return nil
}

// keeperTime is what the end of the services may take beyond their own timeouts.
const keeperTime = 10 * time.Second
