package boot

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/pin"
)

// lockMemory keeps what PID 1 has in memory from being swapped out: the disk of
// the swap may be the one that hangs. It takes no more memory than is used anyway.
// Where the root lies on a disk the same goes for the program itself, all of it.
func (m *Machine) lockMemory() error {
	err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	if err != nil {
		err = fmt.Errorf("lock memory: %w", err)
	}
	table, tableErr := mount.Table()
	if root, ok := lies(table, "/"); ok && onDisk(root.Dev) {
		m.children.indirect = true
		err = errors.Join(err, pin.Program())
	}
	return errors.Join(err, tableErr)
}

// onDisk tells whether a filesystem lies on a disk; the payload's lies in memory,
// behind a loop device.
func onDisk(dev string) bool {
	node, known := diskNode(dev)
	return known && !strings.HasPrefix(node, "/dev/loop") && !strings.HasPrefix(node, "/dev/ram")
}

// become is this program by the name of "exec": it turns into another one. PID 1
// starts programs through it when they lie on a disk, which may hang. A fork waits
// until its child has got hold of its program, and all of Go waits for the fork;
// this one is in memory.
func become(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: exec PROGRAM [ARGUMENT]...")
	}
	return fmt.Errorf("start %s: %w", args[0], whyNot(args[0], syscall.Exec(args[0], args, os.Environ())))
}
