package guest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// shell is what people get, and scriptShell what our init image has for scripts. That
// an image can run those is no request for a shell without a password on its console.
const (
	shell       = "/bin/sh"
	scriptShell = "/usr/lib/slipway/busybox"
)

// A shell that ends sooner than shortShell has found nobody at the terminal.
const shortShell = time.Second

// Emergency is what a boot comes to that a policy has stopped, until ctx ends: a shell
// on the console if the image has one, and otherwise a wait that says so. A shell that
// somebody leaves is started again, as nothing else is left to do here.
func (g *Guest) Emergency(ctx context.Context, reaper *reap.Reaper) {
	g.emergency(ctx, reaper, shell, shortShell)
}

func (g *Guest) emergency(ctx context.Context, reaper *reap.Reaper, shell string, short time.Duration) {
	if program, err := filepath.EvalSymlinks(shell); err != nil || program == scriptShell {
		g.Say("the boot is stopped, and the image has no %s of its own: waiting for the power button, Ctrl-Alt-Del or a signal to PID 1", shell)
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		g.Say("the boot is stopped: this is an emergency shell; poweroff or reboot end it")
		g.Terminal.Flush(time.Second)
		begin := time.Now()
		if err := runShell(ctx, reaper, shell, filepath.Join(g.Paths.Dev, "console")); err != nil && ctx.Err() == nil {
			g.Say("emergency shell: %s", err)
		}
		if time.Since(begin) < short && ctx.Err() == nil {
			g.Say("the boot is stopped, and nobody is at the shell: waiting for the power button, Ctrl-Alt-Del or a signal to PID 1")
			<-ctx.Done()
		}
	}
}

// runShell has the console as the shell's controlling terminal, so that the keys
// which interrupt a command do so.
func runShell(ctx context.Context, reaper *reap.Reaper, shell, console string) error {
	tty, err := os.OpenFile(console, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("open terminal: %w", err)
	}
	defer tty.Close()
	sh := exec.Command(shell, "-l")
	sh.Dir = "/"
	sh.Stdin, sh.Stdout, sh.Stderr = tty, tty, tty
	sh.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p, err := reaper.Start(sh)
	if err == nil {
		_, err = reaper.Finish(ctx, p) // a session's leader leads a group as well
	}
	return err
}
