package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children is the one owner of wait4(2) in PID 1. Everything that ends in the
// machine without a parent ends up here; what this process started itself gets
// its status.
type children struct {
	mu      sync.Mutex
	waiting map[int]chan unix.WaitStatus
	// empty is closed, and made anew, when a pass finds no child left.
	empty chan struct{}
}

// child is a process that this one started.
type child struct {
	pid  int
	done chan unix.WaitStatus // gets one status
}

// environment is what busybox init gives to its children, and LinuxKit's scripts
// so count on; the kernel's own variables, TERM among them, are kept.
var environment = []string{"HOME=/", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "SHELL=/bin/sh", "USER=root"}

func newChildren() *children {
	return &children{waiting: map[int]chan unix.WaitStatus{}, empty: make(chan struct{})}
}

// start runs a program in a session of its own, so that keys on the console do
// not reach it, with the standard files of PID 1 and extra ones from number 3.
func (c *children) start(argv []string, extra ...*os.File) (*child, error) {
	files := []uintptr{0, 1, 2}
	for _, f := range extra {
		files = append(files, f.Fd())
	}
	attr := &syscall.ProcAttr{
		Dir: "/", Env: append(os.Environ(), environment...), Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	// The lock keeps reap from seeing the end of a child that is not listed yet.
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(argv[0], argv, attr)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	ch := &child{pid: pid, done: make(chan unix.WaitStatus, 1)}
	c.waiting[pid] = ch.done
	return ch, nil
}

// reap collects everything that has ended. It is called on SIGCHLD.
func (c *children) reap() {
	for c.reapOne() {
	}
}

func (c *children) reapOne() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	switch {
	case errors.Is(err, unix.EINTR):
		return true
	case errors.Is(err, unix.ECHILD):
		close(c.empty)
		c.empty = make(chan struct{})
		return false
	case err != nil || pid == 0:
		return false
	}
	if done, ok := c.waiting[pid]; ok {
		delete(c.waiting, pid)
		done <- status
	}
	return true
}

// none returns a channel that is closed when there is no child left. It reaps
// first, for the case that this is so already.
func (c *children) none() <-chan struct{} {
	c.mu.Lock()
	empty := c.empty
	c.mu.Unlock()
	c.reap()
	return empty
}

// gone waits until no process is left, at most for limit.
func (c *children) gone(limit time.Duration) bool {
	select {
	case <-c.none():
		return true
	case <-time.After(limit):
		return false
	}
}

// wait waits for the child's end. If ctx ends first the child runs on.
func (p *child) wait(ctx context.Context) (unix.WaitStatus, error) {
	select {
	case status := <-p.done:
		return status, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// explain turns a wait status into words; nil for success.
func explain(status unix.WaitStatus) error {
	switch {
	case status.Signaled():
		return fmt.Errorf("killed by %s", unix.SignalName(status.Signal()))
	case status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return nil
}
