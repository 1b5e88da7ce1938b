package runtime

import (
	"os"
	"os/exec"
	"strings"

	"slipway/pkg/reap"
)

// Exec says what to run in a container that runs.
type Exec struct {
	ID       string
	Args     []string
	Env      []string // more than the container's
	Terminal bool     // Stdin is a terminal, and the program gets one of its own
	// Process is a file that says it all as OCI's process does, in place of Args,
	// Env and Terminal.
	Process string
	PidFile string
	Log     string // where the runtime writes what went wrong
	// Nil is /dev/null.
	Stdin, Stdout, Stderr *os.File
}

func (r *Runtime) execArgs(e Exec) []string {
	args := append(r.global(e.Log), "exec")
	if e.PidFile != "" {
		args = append(args, "--pid-file", e.PidFile)
	}
	if e.Process != "" {
		return append(args, "--process", e.Process, "--", e.ID)
	}
	if e.Terminal {
		args = append(args, "--tty")
	}
	for _, v := range e.Env {
		args = append(args, "--env", v)
	}
	return append(append(args, "--", e.ID), e.Args...)
}

// Forgets tells whether a program in a container has to be described whole, as an
// Exec's Process.
func (r *Runtime) Forgets() bool { return r.kind().forgets }

// ExecTakes is how many processes and threads more a container has to have room for; 0: the runtime itself says so.
func (r *Runtime) ExecTakes() uint64 { return r.kind().execTakes }

// ExecCommand is the runtime's command for a program in a container. It passes
// signals and the exit status on.
func (r *Runtime) ExecCommand(e Exec) *exec.Cmd {
	cmd := exec.Command(r.Program(), r.execArgs(e)...)
	cmd.Dir = "/"
	if more := r.scratch(e.Log); more != nil {
		cmd.Env = append(os.Environ(), more...)
	}
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
	cmd := r.ExecCommand(e)
	closeNull := r.nothing(cmd)
	p, err := r.Reaper.Start(cmd)
	closeNull()
	if err != nil {
		return nil, err
	}
	shield(p.Pid())
	return p, nil
}

// Statuses as shells have them of a program that was not run.
const (
	notExecutable = 126
	notFound      = 127
)

// ExecStatus tells a program's own status from that of a runtime that could not
// run it, which is 255 whatever the reason; its words give it away.
//
// The reason is those words where whoever asked for the program has not read them on its
// standard error.
func (r *Runtime) ExecStatus(status reap.Status, log string) (_ reap.Status, reason string) {
	if status.Signal != 0 || status.Code != 255 {
		return status, ""
	}
	said := lastError(status, log)
	if r.kind().silent {
		reason = said
	}
	switch message := strings.ToLower(said); {
	case message == "":
	case strings.Contains(message, "not found"), strings.Contains(message, "no such file"):
		status.Code = notFound
	case strings.Contains(message, "permission denied"), strings.Contains(message, "is a directory"),
		strings.Contains(message, "open executable"), // crun, of a directory
		strings.Contains(message, "exec format error"):
		status.Code = notExecutable
	default:
		status.Code = 1
	}
	return status, reason
}
