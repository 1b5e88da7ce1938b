package reap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a child whose end the Reaper reports.
type Process struct {
	pid    int
	done   chan struct{} // closed when status is set
	status Status
	onStop func() // set: it is continued when a signal has stopped it
}

func newProcess(pid int) *Process {
	return &Process{pid: pid, done: make(chan struct{})}
}

func (p *Process) finish(s Status) {
	p.status = s
	close(p.done)
}

// Pid is the process id. It may belong to another process once Done is closed.
func (p *Process) Pid() int { return p.pid }

// Done is closed when the process has ended and has been reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns how the process ended, or the context's error. It may be called
// any number of times, from anywhere.
func (p *Process) Wait(ctx context.Context) (Status, error) {
	select {
	case <-p.done:
		return p.status, nil
	default:
	}
	select {
	case <-p.done:
		return p.status, nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// Start starts cmd as os/exec does, as a child of the Reaper. Streams have to
// be files: copying from another reader or writer would need exec's own Wait.
//
// The Reaper is not locked meanwhile: a program that lies on a disk that hangs
// holds up whoever starts it, and nobody else is to wait for that.
func (r *Reaper) Start(cmd *exec.Cmd) (*Process, error) {
	if err := onlyFiles(cmd); err != nil {
		return nil, err
	}
	r.begin(1)
	defer r.begin(-1)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := r.enter(cmd.Process.Pid)
	// exec's handle of the process is of no use without its Wait.
	if err := cmd.Process.Release(); err != nil {
		return p, fmt.Errorf("release process handle: %w", err)
	}
	return p, nil
}

func onlyFiles(cmd *exec.Cmd) error {
	if cmd.Cancel != nil {
		return errors.New("start child: exec.CommandContext needs exec's own Wait; use Reaper.Run")
	}
	for _, w := range []io.Writer{cmd.Stdout, cmd.Stderr} {
		if _, file := w.(*os.File); w != nil && !file {
			return errors.New("start child: output is not a file")
		}
	}
	if _, file := cmd.Stdin.(*os.File); cmd.Stdin != nil && !file {
		return errors.New("start child: input is not a file")
	}
	return nil
}

// killGrace is how long Run waits for a child that it has killed: one in an
// uninterruptible sleep does not die, and must not take its caller with it.
const killGrace = 2 * time.Second

// ErrStays is that of such a child: it is left behind.
var ErrStays = errors.New("does not die")

// Run starts cmd in a process group of its own and waits for it. When ctx ends
// first the group is killed and the error is the context's.
func (r *Reaper) Run(ctx context.Context, cmd *exec.Cmd) (Status, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	p, err := r.Start(cmd)
	if err != nil {
		return Status{}, err
	}
	return r.Finish(ctx, p)
}

// Finish waits for a child that leads a process group. When ctx ends first the
// group is killed and the error is the context's.
func (r *Reaper) Finish(ctx context.Context, p *Process) (Status, error) {
	status, err := p.Wait(ctx)
	if err == nil {
		return status, nil
	}
	// The leader is not reaped while the lock is held, so the group is its.
	r.mu.Lock()
	if r.children[p.pid] == p {
		if killErr := unix.Kill(-p.pid, unix.SIGKILL); killErr != nil {
			err = errors.Join(err, fmt.Errorf("kill process group %d: %w", p.pid, killErr))
		}
	}
	r.mu.Unlock()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
	defer cancel()
	if _, late := p.Wait(grace); late != nil {
		err = errors.Join(err, fmt.Errorf("process %d %w", p.pid, ErrStays))
	}
	return Status{}, err
}

// Signal sends sig to a child, unless it has ended.
func (r *Reaper) Signal(p *Process, sig unix.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[p.pid] != p {
		return nil
	}
	// It is not reaped while the lock is held, so the pid is its own.
	if err := unix.Kill(p.pid, sig); err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), p.pid, err)
	}
	return nil
}

// begin counts the starts under way.
func (r *Reaper) begin(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starting += n
	r.trim()
}

// enter takes a child that was forked a moment ago, and may have been reaped
// since.
func (r *Reaper) enter(pid int) *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.take(pid)
}

// Adopt returns a process that was started by a child of ours which has ended
// since, so that it is ours now or is about to be. One that has ended already
// is found among the remembered exits; the pid of a process that never becomes
// ours is never done.
func (r *Reaper) Adopt(pid int) *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.children[pid]; p != nil {
		return p
	}
	p := r.take(pid)
	if r.children[pid] == p {
		// If it is a zombie already, the next round hands it over.
		select {
		case r.sigchld <- unix.SIGCHLD:
		default:
		}
	}
	return p
}

func (r *Reaper) take(pid int) *Process {
	p := newProcess(pid)
	e, ended := r.forget(pid)
	if _, ours := peek(unix.P_PID, pid); ended && !ours {
		p.finish(e.Status)
		return p
	}
	// It is a child, so what was remembered was an earlier owner of the pid.
	r.children[pid] = p
	return p
}
