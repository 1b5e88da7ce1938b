// Package stepper runs a program and kills it at one of its system calls: they
// are counted over all threads and processes of the program, at entry and at
// return.
package stepper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
		unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC
	syscallStop = unix.SIGTRAP | 0x80
)

// Run runs argv with our streams. At stop number at, the first is 1, the process
// that has come to it is killed, with its whole group if group is set; 0 is
// never. It returns how many stops there were and how the program itself ended.
// What the program leaves running is let go.
func Run(argv []string, at int, group bool) (stops int, status unix.WaitStatus, err error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	child := cmd.Process.Pid
	if _, err := wait(child, &status); err != nil {
		return 0, 0, fmt.Errorf("wait for the exec of %s: %w", argv[0], err)
	}
	if err := errors.Join(unix.PtraceSetOptions(child, options), unix.PtraceSyscall(child, 0)); err != nil {
		return 0, 0, fmt.Errorf("trace %s: %w", argv[0], err)
	}
	seen := map[int]bool{child: true}
	for {
		var ws unix.WaitStatus
		pid, err := wait(-1, &ws)
		seen[pid] = true
		switch {
		case errors.Is(err, unix.ECHILD):
			return stops, status, nil
		case err != nil:
			return stops, status, fmt.Errorf("wait for %s: %w", argv[0], err)
		case !ws.Stopped():
			if pid == child { // the others live on without us
				return stops, ws, letGo(seen)
			}
			continue
		}
		if ws.StopSignal() == syscallStop {
			if stops++; stops == at {
				kill(pid, group)
			}
		}
		// One that is gone by now needs no push.
		if err := unix.PtraceSyscall(pid, signalOf(ws)); err != nil && !errors.Is(err, unix.ESRCH) {
			return stops, status, fmt.Errorf("go on with %d: %w", pid, err)
		}
	}
}

// letGo lets new processes go on that have not come to their first stop, which a
// tracer's end does not take away: they would stay stopped for ever.
func letGo(seen map[int]bool) error {
	files, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/status")
	if err != nil {
		return err
	}
	ours := fmt.Sprintf("\nTracerPid:\t%d\n", unix.Gettid()) // a thread
	for _, file := range files {
		data, err := os.ReadFile(file)
		tid, convErr := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || convErr != nil || seen[tid] || !strings.Contains(string(data), ours) {
			continue
		}
		var ws unix.WaitStatus
		if _, err := wait(tid, &ws); err != nil || !ws.Stopped() {
			continue // it has ended
		}
		if err := unix.PtraceDetach(tid); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("let go of %d: %w", tid, err)
		}
	}
	return nil
}

func wait(pid int, ws *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(pid, ws, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return got, err
		}
	}
}

// signalOf is the signal that a stopped process is to have: stops that are the
// tracer's own, and the first of a new process, are none.
func signalOf(ws unix.WaitStatus) int {
	switch s := ws.StopSignal(); s {
	case syscallStop, unix.SIGTRAP, unix.SIGSTOP:
		return 0
	default:
		return int(s)
	}
}

// kill kills the process that a thread belongs to. It may be gone already.
func kill(tid int, group bool) {
	target := tid
	if group {
		if pgid, err := unix.Getpgid(tid); err == nil {
			target = -pgid
		}
	}
	_ = unix.Kill(target, unix.SIGKILL)
}
