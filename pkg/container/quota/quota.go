// Package quota divides the machine between containers and what keeps it
// running: PID 1, the supervisor, OCI runtimes that start something, a command
// that somebody types. Containers get a group with limits for all of them
// together, each gets a part of it, and so do file systems in memory.
package quota

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"slipway/pkg/container/cgroup"
)

// Facts are what the division goes by.
type Facts struct {
	// Memory is what can be had before the first container runs, in bytes; 0 if
	// the kernel cannot bound what containers take.
	Memory uint64
	// Tasks is how many processes and threads the kernel allows; 0 if it cannot
	// bound those of containers.
	Tasks uint64
	// Onshutdown tells that there are containers of that section.
	Onshutdown bool
}

// Quota is the division. A zero is no limit.
type Quota struct {
	Memory uint64 // bytes, of all containers together
	Pids   uint64 // processes and threads, of all containers together
	// Onshutdown is for those of that section, beside what the others have.
	Onshutdown cgroup.Limit
	// Terminals of all containers together.
	Terminals uint64
	// Of one container that says nothing of it.
	EachMemory, EachPids, EachTerminals uint64
	// Layers is for the writable layers in memory of all services together.
	Layers uint64
	// Shared is for the file systems in memory that outlive containers: /run,
	// /tmp, /var and /dev/shm.
	Shared uint64
}

// What is kept back for what keeps the machine running. A start takes 20 MB for
// the runtime's program and its two processes, a command 10 MB; the supervisor
// has 20 MB with its program, and the kernel wants some room of its own.
const (
	reserveMemory = 64 << 20
	reserveTasks  = 256
)

// Floor is what of it the machine has left, in bytes, when something else than the memory
// of containers has eaten it up.
const Floor = reserveMemory / 4

// weight is the part of the processors' time that all containers together have beside
// one process of what keeps the machine running, which has 100. That sleeps most of
// the time, and is to answer at once while they take all there is.
const weight = 10

// What each container gets is an eighth, so that several that run wild leave the
// others room. The most is more than large services take, the least is enough
// for a small program in Go.
const (
	maxEachPids = 1000
	minEachPids = 64
)

// Onshutdown containers run one by one, and have an eighth; the least is enough
// for the OCI runtime's process in it and a small program, and is a quarter at
// most.
const minOnshutdown = 16 << 20

// A container keeps a small program in memory, or as much of a large one as runs.
// All that is kept is a quarter at most, since it cannot be had back.
const maxKept = 8 << 20

// A terminal whose ends do not read takes 70 KB of the kernel's, as measured with
// Linux 6.1. All of them are to take a quarter of what is kept back. The kernel
// itself keeps some for the machine (kernel.pty.reserve).
const (
	terminalMemory   = 70 << 10
	reserveTerminals = 1024
)

// Divide divides. It touches nothing.
func Divide(f Facts) Quota {
	var q Quota
	if f.Tasks > 0 {
		q.Pids = f.Tasks - min(reserveTasks, f.Tasks/2)
		q.EachPids = min(maxEachPids, max(minEachPids, q.Pids/8))
		if f.Onshutdown {
			q.Onshutdown.Pids = min(q.EachPids, q.Pids/4)
			q.Pids -= q.Onshutdown.Pids
		}
	}
	if f.Memory > 0 {
		reserve := min(reserveMemory+f.Memory/64, f.Memory/3)
		q.Memory = f.Memory - reserve
		q.Terminals = reserve / 4 / terminalMemory
		q.EachTerminals = max(q.Terminals/4, 1)
		if f.Onshutdown {
			q.Onshutdown.Memory = min(max(minOnshutdown, q.Memory/8), q.Memory/4) &^ 0xfff
			q.Memory -= q.Onshutdown.Memory
		}
		q.EachMemory = q.Memory / 8 * 7
		q.Layers = q.Memory / 2
		q.Shared = q.Memory / 4 * 3
	}
	return q
}

// Layer is the size of the writable layer of one of n services that say nothing
// of it: no more than a quarter of the memory even if it is alone, since a
// program wants to run beside its files. 0: no limit.
func (q Quota) Layer(n int) uint64 {
	return q.Layers / uint64(max(n, 2)) &^ 0xfff
}

// Kept is how much of its memory one of n services keeps when others want more.
func (q Quota) Kept(n int) uint64 {
	return min(maxKept, q.Memory/4/uint64(max(n, 1))) &^ 0xfff
}

// Limit is that of the group of all containers.
func (q Quota) Limit() cgroup.Limit {
	return cgroup.Limit{Memory: q.Memory, Pids: q.Pids, Weight: weight}
}

// Look finds the facts.
func Look() (f Facts, err error) {
	if cgroup.Has("memory") {
		f.Memory, err = available()
	}
	if cgroup.Has("pids") {
		for _, name := range []string{"threads-max", "pid_max"} {
			n, readErr := readNumber("/proc/sys/kernel/" + name)
			if err = errors.Join(err, readErr); readErr == nil && (f.Tasks == 0 || n < f.Tasks) {
				f.Tasks = n
			}
		}
	}
	return f, err
}

// available is MemAvailable: what is free, and what of the cache can be had
// back. Unlike the machine's size it is without the image's own root in memory.
func available() (uint64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if rest, is := bytes.CutPrefix(line, []byte("MemAvailable:")); is {
			var kb uint64
			if _, err := fmt.Sscan(string(rest), &kb); err != nil {
				return 0, fmt.Errorf("MemAvailable of /proc/meminfo: %w", err)
			}
			return kb << 10, nil
		}
	}
	return 0, errors.New("/proc/meminfo does not say what is available")
}

func readNumber(file string) (uint64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// factsFile keeps the facts as they were before the first container.
const factsFile = "quota"

// Open gives the division of this boot: the facts are found out once, by the
// first who asks, and kept in dir. Whether there are onshutdown containers is for the
// caller to say, as that does not change.
func Open(dir string, onshutdown bool) (q Quota, first bool, err error) {
	file := filepath.Join(dir, factsFile)
	f := Facts{Onshutdown: onshutdown}
	if data, err := os.ReadFile(file); err == nil {
		if _, err := fmt.Sscan(string(data), &f.Memory, &f.Tasks); err == nil {
			return Divide(f), false, nil
		}
	}
	if f, err = Look(); err != nil {
		return Quota{}, false, fmt.Errorf("divide the machine: %w", err)
	}
	f.Onshutdown = onshutdown
	return Divide(f), true, os.WriteFile(file, fmt.Appendf(nil, "%d %d\n", f.Memory, f.Tasks), 0o600)
}
