package runtime

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// PassOn passes a signal on to a program that the runtime's process has run on a
// terminal. Where that process passes SIGWINCH on and the window's new size not (crun),
// the program's terminal gets the size, and the kernel tells the program.
func (r *Runtime) PassOn(id reap.Ident, sig unix.Signal) error {
	if sig == unix.SIGWINCH && r.kind().sizeless {
		if err := resize(id); err == nil || errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return id.Signal(sig)
}

// resize gives the terminal whose master a process holds the size of the terminal on
// which that process was started. Descriptors are copied: to open one anew by /proc
// would make another terminal of a master.
func resize(id reap.Ident) error {
	process, err := id.Open()
	if err != nil {
		return err
	}
	defer unix.Close(process)
	outer, err := unix.PidfdGetfd(process, 0, 0)
	if err != nil {
		return fmt.Errorf("terminal of process %d: %w", id.Pid, err)
	}
	defer unix.Close(outer)
	size, err := unix.IoctlGetWinsize(outer, unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("terminal of process %d: %w", id.Pid, err)
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", id.Pid))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 2 && resizeMaster(process, n, size) {
			return nil
		}
	}
	return fmt.Errorf("terminal of process %d: %w", id.Pid, unix.ENOTTY) // none yet
}

// resizeMaster leaves a descriptor alone that is no master.
func resizeMaster(process, n int, size *unix.Winsize) bool {
	fd, err := unix.PidfdGetfd(process, n, 0)
	if err != nil {
		return false // closed since
	}
	defer unix.Close(fd)
	if _, err := unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
		return false
	}
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size) == nil
}
