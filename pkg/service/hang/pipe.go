package hang

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/escape"
)

// A runtime that has opened a named pipe, which somebody else holds open, in the place of
// a file sleeps as it does in all its waits, Go's in epoll. So it goes by what a process has
// open, beside its standard streams.

// execFifo is by which runc's first process in a container waits to be started.
const execFifo = "exec.fifo"

// addPipe notes a process that sleeps and has a named pipe or a terminal open, with how
// often its threads have run.
func (l Look) addPipe(proc string, ran []string) {
	links := map[string]string{} // by number of the descriptor
	entries, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(proc, "fd", e.Name())); err == nil {
			links[e.Name()] = to
		}
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		to := links[name]
		standard := slices.Contains([]string{links["0"], links["1"], links["2"]}, to)
		if standard || !strings.HasPrefix(to, "/") || filepath.Base(to) == execFifo || !waits(filepath.Join(proc, "fd", name)) {
			continue
		}
		l.pipes[proc+" "+escape.Text(to)] = strings.Join(ran, " ")
	}
}

// waits tells whether reading from what is open may wait for others without end. The
// file's server is not asked.
func waits(fd string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, fd, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
	kind := st.Mode & unix.S_IFMT
	return err == nil && (kind == unix.S_IFIFO || kind == unix.S_IFCHR && st.Rdev_major != memMajor)
}

// memMajor is of /dev/null and the like (the kernel's Documentation/admin-guide/devices.txt).
const memMajor = 1

// readsSince tells of the first pipe that is waited for since an earlier look.
func (l Look) readsSince(before Look) string {
	pipes := stayed(l.pipes, before.pipes)
	if len(pipes) == 0 {
		return ""
	}
	_, name, _ := strings.Cut(pipes[0], " ")
	return "waits for somebody to write to " + name
}

// dirOf is a process in /proc.
func dirOf(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }
