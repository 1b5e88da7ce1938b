package qemu

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawn starts QEMU and watches it from one thread: the kernel sends the
// parent-death signal when the *thread* that forked is gone.
func (vm *VM) spawn(cmd *exec.Cmd) error {
	stderr := &tail{max: 8 << 10}
	cmd.Stderr = stderr
	cmd.WaitDelay = drainTime
	cmd.SysProcAttr = child()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		for _, f := range cmd.ExtraFiles {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = cerr
			}
		}
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		if s := cmd.ProcessState; s != nil {
			vm.used = s.UserTime() + s.SystemTime()
		}
		vm.exited <- died(err, stderr.String())
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start QEMU: %w", err)
	}
	vm.process = cmd.Process
	return nil
}

func died(err error, stderr string) string {
	if err == nil {
		return ""
	}
	if stderr = strings.TrimSpace(stderr); stderr != "" {
		return err.Error() + ": " + stderr
	}
	return err.Error()
}

// socketPair makes a connected pair: our end, and the one that QEMU inherits.
func socketPair(name string) (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock() // no program starts between both: macOS has no SOCK_CLOEXEC
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair for %s: %w", name, err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	conn, err := net.FileConn(ours)
	if cerr := ours.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair for %s: %w", name, err)
	}
	return conn, theirs, nil
}
