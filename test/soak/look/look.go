// Package look writes down what a machine holds, so that it can be compared with
// what it held before: whoever starts and ends containers has to leave mounts,
// control groups, namespaces, links, descriptors, memory and processes as they
// were.
package look

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/pkg/container/mount"
)

// Look says where to look, beside what every machine has.
type Look struct {
	// Dirs are listed with all that is in them.
	Dirs []string
	// Files are processes whose open descriptors are counted, by a name that
	// stays when a process is replaced.
	Files map[string]int
	// Ignore leaves out lines that contain one of these.
	Ignore []string
}

// Take lists everything, sorted. A thing that there is twice is there twice.
func (l Look) Take() ([]string, error) {
	var all []string
	table, err := mount.Table()
	if err != nil {
		return nil, err
	}
	for _, m := range table {
		all = append(all, fmt.Sprintf("mount %s %s", m.Type, m.Target))
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range links {
		all = append(all, "link "+i.Name)
	}
	for _, dir := range append(l.Dirs, "/sys/fs/cgroup") {
		all = append(all, list(dir)...)
	}
	all = append(all, processes()...)
	for name, pid := range l.Files {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("descriptors of %s: %d", name, len(open)))
	}
	all = slices.DeleteFunc(all, func(line string) bool {
		return slices.ContainsFunc(l.Ignore, func(part string) bool { return strings.Contains(line, part) })
	})
	slices.Sort(all)
	return all, nil
}

// list lists the directories of the control groups, and elsewhere everything.
func list(dir string) (all []string) {
	kind := "file "
	if strings.HasPrefix(dir, "/sys/fs/cgroup") {
		kind = "cgroup "
	}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && (kind == "file " || e.IsDir()) {
			all = append(all, kind+name)
		}
		return nil // what goes while we look is not there
	})
	if err != nil {
		all = append(all, kind+dir+": "+err.Error())
	}
	return all
}

// processes lists what runs and is no thread of the kernel, a zombie as one, and
// the namespaces that they are in by how many there are of each.
func processes() (all []string) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	spaces := map[string]bool{}
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		if i := bytes.LastIndexByte(stat, ')'); i > 0 && bytes.HasPrefix(stat[i:], []byte(") Z")) {
			all = append(all, "zombie "+string(stat[:i+1]))
			continue
		}
		args, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(args) == 0 {
			continue
		}
		all = append(all, "process "+strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " ")))
		for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
			if name, err := os.Readlink(dir + "/ns/" + kind); err == nil {
				spaces[name] = true
			}
		}
	}
	count := map[string]int{}
	for name := range spaces {
		kind, _, _ := strings.Cut(name, ":")
		count[kind]++
	}
	for kind, n := range count {
		all = append(all, fmt.Sprintf("namespaces of kind %s: %d", kind, n))
	}
	return all
}

// Diff is what only one of two looks has.
func Diff(before, after []string) (diff []string) {
	left := slices.Clone(after)
	for _, line := range before {
		if i := slices.Index(left, line); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			diff = append(diff, "gone: "+line)
		}
	}
	for _, line := range left {
		diff = append(diff, "left: "+line)
	}
	if len(diff) > maxDiff {
		diff = append(diff[:maxDiff], fmt.Sprintf("and %d more", len(diff)-maxDiff))
	}
	return diff
}

// maxDiff bounds what is told of a machine that is not as it was.
const maxDiff = 12

// Same waits until all is as before: what has been killed takes a moment to go.
// After patience it says what is not.
func (l Look) Same(before []string, patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		after, err := l.Take()
		diff := Diff(before, after)
		if err == nil && len(diff) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(err, errors.New("not as before: "+strings.Join(diff, "; ")))
		}
	}
}

// Available is the memory that programs can have, in bytes (MemAvailable of
// /proc/meminfo), when what only speeds things up is dropped.
func Available() (int64, error) {
	// Where it is not allowed the figure is a little lower.
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, is := strings.CutPrefix(line, "MemAvailable:"); is {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo: no MemAvailable")
}
