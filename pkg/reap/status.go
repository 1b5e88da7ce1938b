package reap

import (
	"cmp"
	"fmt"

	"golang.org/x/sys/unix"
)

// Status says how a process ended.
type Status struct {
	Code   int         // exit code, when Signal is 0
	Signal unix.Signal // what killed it, or 0
	Core   bool        // it left a core dump
}

// Success tells whether the process exited with status 0.
func (s Status) Success() bool { return s.Signal == 0 && s.Code == 0 }

// ExitCode is the status as a shell gives it: 128 and the signal's number for
// a process that was killed.
func (s Status) ExitCode() int {
	if s.Signal != 0 {
		return 128 + int(s.Signal)
	}
	return s.Code
}

func (s Status) String() string {
	if s.Signal == 0 {
		return fmt.Sprintf("exit status %d", s.Code)
	}
	name := cmp.Or(unix.SignalName(s.Signal), fmt.Sprintf("signal %d", int(s.Signal)))
	if s.Core {
		return "killed by " + name + " (core dumped)"
	}
	return "killed by " + name
}

func statusOf(ws unix.WaitStatus) Status {
	if ws.Signaled() {
		return Status{Signal: ws.Signal(), Core: ws.CoreDump()}
	}
	return Status{Code: ws.ExitStatus()}
}

// WithOOM words a status of a container in which the kernel has killed something
// as it was out of memory. That may have been long before, and of no consequence.
func (s Status) WithOOM() string {
	if s.Signal == unix.SIGKILL || s.Code == 128+int(unix.SIGKILL) {
		return "out of memory: " + s.String()
	}
	return s.String() + "; the kernel has killed a process of it, being out of memory"
}
