package boot

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
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
		err = errors.Join(err, lockProgram())
	}
	return errors.Join(err, tableErr)
}

// onDisk tells whether a filesystem lies on a disk; the payload's lies in memory,
// behind a loop device.
func onDisk(dev string) bool {
	node, known := diskNode(dev)
	return known && !strings.HasPrefix(node, "/dev/loop") && !strings.HasPrefix(node, "/dev/ram")
}

// lockProgram reads this program into memory and keeps it there.
func lockProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range programRanges(string(maps), program) {
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK, r[0], r[1]-r[0], 0); errno != 0 {
			errs = append(errs, fmt.Errorf("lock program: %w", errno))
		}
	}
	return errors.Join(errs...)
}

// programRanges finds where a file is mapped in the text of /proc/PID/maps.
func programRanges(maps, program string) (ranges [][2]uintptr) {
	for line := range strings.Lines(maps) {
		// FROM-TO PERMISSIONS OFFSET DEVICE INODE PATH
		f := strings.Fields(line)
		if len(f) != 6 || f[5] != program {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		a, errA := strconv.ParseUint(from, 16, 64)
		b, errB := strconv.ParseUint(to, 16, 64)
		if errA == nil && errB == nil {
			ranges = append(ranges, [2]uintptr{uintptr(a), uintptr(b)})
		}
	}
	return ranges
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
