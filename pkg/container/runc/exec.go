package runc

import (
	"os"
	"os/exec"

	"slipway/pkg/reap"
)

// Exec says what to run in a container that runs.
type Exec struct {
	ID       string
	Args     []string
	Env      []string // more than the container's
	Terminal bool     // Stdin is a terminal, and the program gets one of its own
	PidFile  string
	// Nil is /dev/null.
	Stdin, Stdout, Stderr *os.File
}

func (r *Runtime) execArgs(e Exec) []string {
	args := []string{"--root", r.root(), "exec"}
	if e.Terminal {
		args = append(args, "--tty")
	}
	for _, v := range e.Env {
		args = append(args, "--env", v)
	}
	if e.PidFile != "" {
		args = append(args, "--pid-file", e.PidFile)
	}
	return append(append(args, e.ID), e.Args...)
}

// ExecCommand is the runtime's command for a program in a container. It passes
// signals and the exit status on.
func (r *Runtime) ExecCommand(e Exec) *exec.Cmd {
	cmd := exec.Command(r.path(), r.execArgs(e)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = ownGroup()
	if e.Stdin != nil {
		cmd.Stdin = e.Stdin
	}
	if e.Stdout != nil {
		cmd.Stdout = e.Stdout
	}
	if e.Stderr != nil {
		cmd.Stderr = e.Stderr
	}
	return cmd
}

// StartExec runs a program in a container, as a child of ours.
func (r *Runtime) StartExec(e Exec) (*reap.Process, error) {
	p, err := r.Reaper.Start(r.ExecCommand(e))
	if err != nil {
		return nil, err
	}
	shield(p.Pid())
	return p, nil
}
