// Package pin keeps programs in memory.
package pin

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Program reads the file of this program, as far as it is mapped, into memory and
// keeps it there until the process ends: the kernel then neither drops it, when
// containers want memory, nor reads it again from a disk that may hang. It takes
// CAP_IPC_LOCK, or a limit on locked memory of that size.
func Program() error {
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
