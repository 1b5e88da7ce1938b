// Package hang tells that something hangs in the kernel, and on which disk. It goes
// by two looks some seconds apart: a thread that waits and has not run between them
// hangs, and so does a disk that has requests and has finished none.
//
// All that is read is made by the kernel without waiting: neither a file of a disk
// nor those of /proc that need a lock of the process (cmdline, maps).
package hang

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Look is how things were at one moment.
type Look struct {
	// threads are those that wait where no signal reaches them, by their directory
	// in /proc, with how often they have run.
	threads map[string]string
	// pipes are what processes could read from, by process and path, with how often all of
	// its threads have run.
	pipes map[string]string
	// disks are those with requests under way, with what they have finished.
	disks map[string]string
}

// Now looks at one thread of this process, and at all threads of other processes.
func Now(own int, pids []int) Look {
	l := Look{threads: map[string]string{}, pipes: map[string]string{}, disks: disks("/sys/block")}
	l.add(filepath.Join("/proc/self/task", strconv.Itoa(own)))
	for _, pid := range pids {
		tasks := filepath.Join(dirOf(pid), "task")
		entries, err := os.ReadDir(tasks)
		if err != nil {
			continue // it has ended
		}
		var all []string
		sleeps := true
		for _, e := range entries {
			switches, state := l.add(filepath.Join(tasks, e.Name()))
			all = append(all, switches)
			sleeps = sleeps && state == asleep
		}
		if sleeps {
			l.addPipe(dirOf(pid), all)
		}
	}
	return l
}

// condition is what a thread is found at.
type condition int

const (
	asleep condition = iota
	atWork
	hangs // it may
)

// add looks at a thread. switches is how often it has run.
func (l Look) add(dir string) (switches string, c condition) {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return "", atWork
	}
	fields := map[string]string{}
	for line := range bytes.Lines(status) {
		key, value, _ := strings.Cut(string(line), ":")
		fields[key] = strings.TrimSpace(value)
	}
	switches = fields["voluntary_ctxt_switches"] + " " + fields["nonvoluntary_ctxt_switches"]
	switch {
	case strings.HasPrefix(fields["State"], "D") || slices.Contains(opens, where(dir)):
		l.threads[dir] = switches
		return switches, hangs
	case strings.HasPrefix(fields["State"], "R"):
		return switches, atWork
	}
	return switches, asleep
}

// opens are where a call waits for what a container may have put in the place of a file:
// a FUSE server, a pipe that nobody writes to, a lease. It looks like any other sleep.
var opens = []string{"request_wait_answer", "wait_for_partner", "__break_lease"}

// where is the kernel's function that a thread waits in, or "".
func where(dir string) string {
	name, err := os.ReadFile(filepath.Join(dir, "wchan"))
	if err != nil || string(name) == "0" {
		return ""
	}
	return string(name)
}

// Places in /sys/block/DISK/stat (the kernel's Documentation/block/stat.rst).
const (
	reads, writes, inFlight = 0, 4, 8
	discards, flushes       = 11, 15 // newer kernels have them
)

// disks finds those with requests under way.
func disks(dir string) map[string]string {
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*/stat"))
	if err != nil {
		return nil
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		f := strings.Fields(string(data))
		if err != nil || len(f) <= inFlight || f[inFlight] == "0" {
			continue
		}
		done := f[reads] + " " + f[writes]
		if len(f) > flushes {
			done += " " + f[discards] + " " + f[flushes]
		}
		found[filepath.Base(filepath.Dir(file))] = done
	}
	return found
}

// Since tells what has hung all the time since an earlier look: "disk vda does not
// answer", or if it is no disk, where in the kernel; "" for nothing.
func (l Look) Since(before Look) string {
	threads := stayed(l.threads, before.threads)
	if len(threads) == 0 {
		return l.readsSince(before)
	}
	switch silent := stayed(l.disks, before.disks); len(silent) {
	case 0:
	case 1:
		return "disk " + silent[0] + " does not answer"
	default:
		return "disks " + strings.Join(silent, ", ") + " do not answer"
	}
	if at := where(threads[0]); at != "" {
		return "waits in " + at
	}
	return "waits in the kernel"
}

// stayed lists what is the same in both.
func stayed(now, before map[string]string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for key := range maps.Keys(now) {
			if was, is := before[key]; is && was == now[key] && !yield(key) {
				return
			}
		}
	})
}
