// Package heap keeps the resident memory of the processes that live as long as
// the machine small: PID 1 and the supervisor, whose work comes in bursts.
package heap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// hugePage is the size below which the kernel has no huge page to give.
const hugePage = 2 << 20

// Shrink gives the kernel back what the heap does not use. Afterwards the heap
// is on small pages: it needs less than a megabyte, and the kernel would back
// it by two, all or nothing. It takes some milliseconds, and /proc.
func Shrink() error {
	err := smallPages()
	debug.FreeOSMemory()
	return err
}

// smallPages asks for them in every private mapping that has no file and is
// large enough: these are the Go runtime's.
func smallPages() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("take small pages: %w", err)
	}
	for line := range bytes.Lines(maps) {
		begin, size := anonymous(bytes.Fields(line))
		if size < hugePage {
			continue
		}
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, size, unix.MADV_NOHUGEPAGE)
		if errno == unix.EINVAL {
			return nil // a kernel without huge pages
		}
		if errno != 0 && errno != unix.ENOMEM { // gone meanwhile
			err = errors.Join(err, fmt.Errorf("take small pages: %w", errno))
		}
	}
	return err
}

// anonymous is where a line of /proc/self/maps has a mapping, if it can be
// written and has no file.
func anonymous(fields [][]byte) (begin, size uintptr) {
	if len(fields) != 5 || string(fields[1]) != "rw-p" {
		return 0, 0
	}
	from, to, _ := bytes.Cut(fields[0], []byte("-"))
	first, err := strconv.ParseUint(string(from), 16, 64)
	if err != nil {
		return 0, 0
	}
	last, err := strconv.ParseUint(string(to), 16, 64)
	if err != nil || last < first {
		return 0, 0
	}
	return uintptr(first), uintptr(last - first)
}
