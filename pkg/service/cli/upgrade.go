package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
)

func upgradeFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.BoolVar(&o.back, "back", false, "go back to the program that lies in the image")
}

// Bounds on what a program may take that is not known to work.
const (
	tryTime    = 30 * time.Second
	takeTime   = time.Minute
	steadyTime = time.Second
)

// upgrade puts a program in the place of the supervisor's and has it take over.
// The services run on. The keeper starts what lies in that place, and goes back
// by itself from a program that does not come up.
type upgrade struct {
	*call
	mount programMount
	old   program  // what the supervisor was
	file  *os.File // the new one, opened where this was called; or nil
}

func runUpgrade(c *call) error {
	if len(c.args) > 1 || c.back && len(c.args) > 0 {
		return usageError{"upgrade wants one file, or -back, or nothing to start what lies there anew"}
	}
	old, err := supervisorProgram(c.client(), program{})
	if err != nil && !errors.Is(err, control.ErrNoSupervisor) {
		err = outside(err)
	}
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	u := &upgrade{call: c, old: old}
	if len(c.args) == 1 {
		if u.file, err = os.Open(c.args[0]); err != nil {
			return fmt.Errorf("upgrade: %w", err)
		}
		defer u.file.Close()
	}
	if err := enterMounts(old.Pid); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	u.mount = programMount{target: programPath(old), dir: c.paths.RunDir("program")}
	now, err := u.run()
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	if c.json {
		return writeJSON(c, map[string]program{"before": old, "now": now})
	}
	say(c.out, "supervisor: %s (before: build %s, pid %d)\n", now, old.Build, old.Pid)
	return nil
}

func (u *upgrade) run() (program, error) {
	switch {
	case u.back:
		if err := u.mount.clear(); err != nil {
			return program{}, err
		}
	case u.file != nil:
		file, err := u.mount.copyIn(u.file)
		if err != nil {
			return program{}, err
		}
		if err := u.try(file); err != nil {
			return program{}, errors.Join(err, os.Remove(file))
		}
		if err := u.mount.put(file); err != nil {
			return program{}, err
		}
	}
	now, err := u.takeOver()
	switch {
	case !u.back && len(u.args) == 0:
		return now, err
	case err != nil:
		return now, errors.Join(err, u.mount.putBack())
	case u.back:
		return now, u.mount.drop()
	}
	return now, u.mount.keep()
}

// try has the new program show that it is one, before anything is changed.
func (u *upgrade) try(file string) error {
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, append([]string{"try"}, u.pathFlags()...)...)
	cmd.WaitDelay = time.Second
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s is refused: it does not work here: %w%s", u.args[0], err, firstLine(faults.String()))
	}
	var said program
	if err := json.Unmarshal(out.Bytes(), &said); err != nil || said.Build == "" {
		return fmt.Errorf("%s is refused: it is no service program: it answers %q", u.args[0], firstLine(out.String()))
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" {
		return ""
	}
	return ": " + line[:min(len(line), 200)]
}

// takeOver ends the supervisor and waits for the next. That is safe at any
// moment: it keeps nothing in its head.
func (u *upgrade) takeOver() (program, error) {
	want, err := guest.BuildOf(u.mount.target)
	if err != nil {
		return program{}, err
	}
	if err := machine.WriteFile(u.paths.RunDir(machine.Upgrade), nil); err != nil {
		return program{}, err
	}
	if err := unix.Kill(u.old.Pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return program{}, fmt.Errorf("end supervisor: %w", err)
	}
	var now program
	for deadline := time.Now().Add(takeTime); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		found, err := supervisorProgram(u.client(), program{})
		if err != nil || found.Pid == u.old.Pid {
			continue
		}
		if found.Build != want {
			return found, fmt.Errorf("the new program did not come up; build %s goes on", found.Build)
		}
		if found.Pid == now.Pid {
			return found, nil
		}
		now = found
		time.Sleep(steadyTime) // one that dies at once is none
	}
	return now, fmt.Errorf("%w after %s", control.ErrNoSupervisor, takeTime)
}

// enterMounts has this thread, with all that it starts, see the supervisor's mounts, where
// a program is to be mounted: a shell on the console is in a container's.
func enterMounts(pid int) error {
	theirs, err := os.Open(filepath.Join("/proc", fmt.Sprint(pid), "ns/mnt"))
	if err != nil {
		return outside(err)
	}
	defer theirs.Close()
	var a, b unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/self/ns/mnt", &a), unix.Fstat(int(theirs.Fd()), &b)); err != nil {
		return fmt.Errorf("tell the supervisor's mounts from those here: %w", err)
	}
	if a.Ino == b.Ino {
		return nil
	}
	runtime.LockOSThread() // for good: no other goroutine is to run in there
	err = unix.Unshare(unix.CLONE_FS)
	if err == nil {
		err = unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNS)
	}
	if err != nil {
		return outside(err)
	}
	return nil
}

func outside(err error) error {
	return fmt.Errorf("this is a container that may not enter the machine's mounts, which takes pid: host and CAP_SYS_ADMIN: %w", err)
}
