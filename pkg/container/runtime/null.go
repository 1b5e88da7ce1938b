package runtime

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// openNull opens the machine's /dev/null so that nobody can change whose it is: crun
// gives a container's streams to its user, or to the root of its user namespace, and
// who owns the device could take it away from all others.
func openNull() (*os.File, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, os.DevNull, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open %s read-only: %w", os.DevNull, err)
	}
	defer unix.Close(tree)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return nil, fmt.Errorf("open %s read-only: %w", os.DevNull, err)
	}
	// The mount is read-only, and a device can be written to all the same.
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", tree), os.O_RDWR, 0)
}

// nothing puts a null that is safe to hand out where a command has no streams, and
// returns how to close it. Kernels before 5.12 cannot make it: there it is /dev/null.
func (r *Runtime) nothing(cmd *exec.Cmd) (closeNull func()) {
	if !r.kind().chowns || cmd.Stdin != nil && cmd.Stdout != nil && cmd.Stderr != nil {
		return func() {}
	}
	null, err := openNull()
	if err != nil {
		return func() {}
	}
	if cmd.Stdin == nil {
		cmd.Stdin = null
	}
	if cmd.Stdout == nil {
		cmd.Stdout = null
	}
	if cmd.Stderr == nil {
		cmd.Stderr = null
	}
	return func() { null.Close() } // it was never written to
}
