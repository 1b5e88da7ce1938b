package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kill sends SIGKILL to everything in the group, nested groups included, and
// returns when nothing runs in it any more. A frozen group is thawed: a frozen
// process of v1 does not die.
func (g Group) Kill(ctx context.Context) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if err := g.killOnce(); err != nil {
			return err
		}
		left, err := g.Populated()
		if err != nil || !left {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kill cgroup %s: something in it does not die: %w", g, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (g Group) killOnce() error {
	pids, err := g.Pids()
	if err != nil {
		return err
	}
	if who := protected(pids, os.Getpid(), os.Getppid()); who != 0 {
		return fmt.Errorf("kill cgroup %s: process %d in it keeps the machine running: %w", g, who, ErrNotAContainers)
	}
	if g.v2 {
		err := g.write("cgroup.kill", "1")
		if err == nil {
			return g.killHeadless()
		}
		if !g.Exists() {
			return nil
		}
		if !gone(err) {
			return err
		}
		// A kernel before 5.14: freeze, so that nothing forks away from us.
	}
	frozen := g.Freeze(true)
	pids, err = g.Pids()
	for _, pid := range pids {
		if pid == 1 || pid == os.Getpid() || pid == os.Getppid() {
			continue
		}
		if killErr := unix.Kill(pid, unix.SIGKILL); killErr != nil && !errors.Is(killErr, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill process %d: %w", pid, killErr))
		}
	}
	if frozen == nil {
		err = errors.Join(err, g.Freeze(false))
	}
	return err
}

// protected finds a process that no container's group holds: PID 1, this one, or
// its parent, which is the keeper of a supervisor.
func protected(pids []int, self, parent int) int {
	for _, pid := range pids {
		if pid == 1 || pid == self || pid == parent {
			return pid
		}
	}
	return 0
}

// killHeadless kills the processes whose first thread has ended and whose others
// run on: cgroup.kill signals threads, the first of each process, and passes these
// by (Linux 6.18).
func (g Group) killHeadless() error {
	pids, err := g.Pids()
	for _, pid := range pids {
		stat, statErr := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if i := bytes.LastIndexByte(stat, ')'); statErr != nil || i < 0 || !bytes.HasPrefix(stat[i:], []byte(") Z")) {
			continue
		}
		if killErr := unix.Kill(pid, unix.SIGKILL); killErr != nil && !errors.Is(killErr, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill process %d: %w", pid, killErr))
		}
	}
	return err
}

// Freeze stops the group's processes, or lets them go on. Without a freezer
// the error is ErrNotExist.
func (g Group) Freeze(on bool) error {
	if g.v2 {
		return g.write("cgroup.freeze", map[bool]string{true: "1", false: "0"}[on])
	}
	return g.write("freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[on])
}

// Populated tells whether any process runs in the group or below it.
func (g Group) Populated() (bool, error) {
	if g.v2 {
		events, err := g.readKeys("cgroup.events", "populated")
		if gone(err) {
			return false, nil
		}
		return events["populated"] != 0, err
	}
	pids, err := g.Pids()
	return len(pids) > 0, err
}

// Remove takes the group and those below it away. It has to be empty; what is
// still being torn down in the kernel is waited for until ctx ends.
func (g Group) Remove(ctx context.Context) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := g.RemoveOnce()
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// RemoveOnce is Remove without waiting: EBUSY says that something runs in it.
func (g Group) RemoveOnce() error {
	var faults []error
	for _, dir := range g.dirs {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			faults = append(faults, removeNest(dir))
			continue
		}
		// Groups that the container made itself go first.
		for _, sub := range slices.Backward(tree(dir)) {
			if err = unix.Rmdir(sub); err != nil && !errors.Is(err, unix.ENOENT) {
				faults = append(faults, &os.PathError{Op: "remove cgroup", Path: sub, Err: err})
				break
			}
		}
		if err == nil || errors.Is(err, unix.ENOENT) {
			faults = append(faults, removeNest(dir))
		}
	}
	return errors.Join(faults...)
}

func (g Group) String() string { return strings.Join(g.dirs, ", ") }

// file finds a file of the group: under v1 in the controller that has it.
func (g Group) file(name string) string {
	if len(g.dirs) == 1 {
		return path.Join(g.dirs[0], name)
	}
	for _, dir := range g.dirs {
		file := path.Join(dir, name)
		if _, err := os.Lstat(file); err == nil {
			return file
		}
	}
	if len(g.dirs) == 0 {
		return name
	}
	return path.Join(g.dirs[0], name)
}

func (g Group) write(name, value string) error {
	f, err := os.OpenFile(g.file(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
