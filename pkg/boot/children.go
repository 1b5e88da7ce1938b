package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// children are the processes that PID 1 starts. All others that end without a
// parent are reaped beside them.
type children struct {
	reaper *reap.Reaper
	// indirect: programs lie on a disk, and are started by way of become.
	indirect bool
}

// environment is what busybox init gives to its children, and LinuxKit's scripts
// so count on; the kernel's own variables, TERM among them, are kept.
var environment = []string{"HOME=/", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "SHELL=/bin/sh", "USER=root"}

// command is a program in a session of its own, so that keys on the console do
// not reach it, with the standard files of PID 1.
func (c *children) command(argv []string) *exec.Cmd {
	path := argv[0]
	if c.indirect {
		path, argv = "/proc/self/exe", append([]string{"exec"}, argv...)
	}
	return &exec.Cmd{
		Path: path, Args: argv, Dir: "/", Env: append(os.Environ(), environment...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
}

func (c *children) start(cmd *exec.Cmd) (*reap.Process, error) {
	p, err := c.reaper.Start(cmd)
	if err != nil {
		if path, is := errors.AsType[*fs.PathError](err); is {
			err = path.Err // its path is ours
		}
		return nil, fmt.Errorf("start %s: %w", cmd.Path, whyNot(cmd.Path, err))
	}
	return p, nil
}

// stuckTimeout is how long processes that are all in uninterruptible sleep, the
// same ones all the time, are waited for: no signal reaches them.
const stuckTimeout = 3 * time.Second

// gone waits until no process is left below this one, at most for limit. Only
// the end of the machine asks, so it looks again and again.
func (c *children) gone(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last string
	same, look := time.Now(), time.Now()
	for ctx.Err() == nil {
		if none() {
			return true
		}
		if now := time.Now(); now.Sub(look) > stuckTimeout/6 {
			look = now
			stuck, all := allStuck(processes())
			if !all || stuck != last {
				last, same = stuck, now
			} else if now.Sub(same) > stuckTimeout {
				return false
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return none()
}

// none says whether there is no child left, without reaping one.
func none() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return errors.Is(err, unix.ECHILD)
}

// wait waits for the end of a child and puts it into words; nil for success. If
// ctx ends first the child runs on and the error is the context's.
func wait(ctx context.Context, p *reap.Process) error {
	status, err := p.Wait(ctx)
	if err != nil {
		return err
	}
	if !status.Success() {
		return errors.New(status.String())
	}
	return nil
}
