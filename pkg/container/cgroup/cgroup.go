// Package cgroup finds the control group of a container, kills what is in it,
// takes it away, and reads what it has used: in the unified hierarchy (v2) or
// below every controller of v1. The OCI runtime makes the group; it is ours to
// remove, because a runtime that was killed does not.
package cgroup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"slipway/pkg/bundle"
)

// Root is where the hierarchies are mounted.
const Root = "/sys/fs/cgroup"

// Unified tells whether this machine runs on cgroup v2.
func Unified() bool { return unified(Root) }

func unified(root string) bool {
	_, err := os.Stat(path.Join(root, "cgroup.controllers"))
	return err == nil
}

// Parent is the group of all containers that name none of their own: what all of
// them may have of the machine together is bounded there. Those of onshutdown are
// in Onshutdown.
const (
	Parent     = bundle.CgroupParent
	Onshutdown = bundle.OnshutdownCgroupParent
)

// Path is the cgroupsPath of such a container.
func Path(s bundle.Section, id string) string {
	if s == bundle.Onshutdown {
		return path.Join(Onshutdown, id)
	}
	return path.Join(Parent, id)
}

// Group is a control group: one directory in v2, one for each controller in v1.
type Group struct {
	v2   bool
	dirs []string
}

// ErrNotAContainers is the error of a group in which others live than one
// container: everything, ourselves, or all containers.
var ErrNotAContainers = errors.New("not a group for a container")

// Of names the group that an OCI runtime started by this process gives a
// container: cgroupsPath, or the container's id beside (v2) or below (v1) our
// own group if it is empty or relative. What is in a Group gets killed, so the
// root, our own group, those above it, and those of other containers below
// Parent and Onshutdown are an ErrNotAContainers.
func Of(cgroupsPath, id string) (Group, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return Group{}, err
	}
	return locate(Root, string(own), cgroupsPath, id)
}

func locate(root, own, cgroupsPath, id string) (Group, error) {
	name := cmp.Or(cgroupsPath, id)
	absolute := path.IsAbs(name)
	name = path.Clean("/" + name)
	if unified(root) {
		ours := ownPath(own, "")
		at := name
		if !absolute {
			at = path.Join(path.Dir(ours), name)
		}
		if err := check(at, ours, id); err != nil {
			return Group{}, err
		}
		return Group{v2: true, dirs: []string{path.Join(root, at)}}, nil
	}
	controllers, err := controllers(root)
	if err != nil {
		return Group{}, err
	}
	var g Group
	for _, c := range controllers {
		ours := ownPath(own, c)
		at := name
		if !absolute {
			at = path.Join(ours, name)
		}
		if err := check(at, ours, id); err != nil {
			return Group{}, err
		}
		g.dirs = append(g.dirs, path.Join(root, c, at))
	}
	return g, nil
}

// AtRoot tells whether this process is in no group but the root: only then are
// the machine's limits ours to set.
func AtRoot() bool {
	own, err := os.ReadFile("/proc/self/cgroup")
	return err == nil && atRoot(string(own), unified(Root))
}

func atRoot(own string, v2 bool) bool {
	if v2 {
		return ownPath(own, "") == "/"
	}
	return ownPath(own, "memory") == "/" && ownPath(own, "pids") == "/"
}

// check refuses a group, given from the root on, that holds more than the
// container of that id.
func check(at, ours, id string) error {
	if within(ours, at) {
		return fmt.Errorf("cgroup %s: %w: we are in it", at, ErrNotAContainers)
	}
	for _, parent := range []string{Parent, Onshutdown} {
		switch {
		case at == parent:
			return fmt.Errorf("cgroup %s: %w: all containers are in it", at, ErrNotAContainers)
		case within(at, parent) && !within(at, path.Join(parent, id)):
			return fmt.Errorf("cgroup %s: %w: it is where containers of other names are", at, ErrNotAContainers)
		}
	}
	return nil
}

// within tells whether the group at is dir or lies below it; all lie in the root.
func within(at, dir string) bool {
	return dir == "/" || at == dir || strings.HasPrefix(at, dir+"/")
}

// controllers are the directories of v1's root; links there are second names.
func controllers(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list cgroup controllers: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// ownPath looks a controller up in /proc/self/cgroup, whose lines are
// "ID:CONTROLLERS:PATH"; the unified hierarchy's has no controllers.
func ownPath(own, controller string) string {
	for line := range strings.Lines(own) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(words) != 3 {
			continue
		}
		for c := range strings.SplitSeq(words[1], ",") {
			if strings.TrimPrefix(c, "name=") == controller {
				return words[2]
			}
		}
	}
	return "/"
}

// Exists tells whether the group is there, under any controller.
func (g Group) Exists() bool {
	return slices.ContainsFunc(g.dirs, func(dir string) bool {
		_, err := os.Lstat(dir)
		return err == nil
	})
}

// Pids lists the processes of the group and of those below it.
func (g Group) Pids() ([]int, error) {
	seen := map[int]bool{}
	var all []int
	for _, dir := range g.dirs {
		for _, sub := range tree(dir) {
			pids, err := readPids(path.Join(sub, "cgroup.procs"))
			if err != nil {
				return nil, err
			}
			for _, pid := range pids {
				if !seen[pid] {
					seen[pid] = true
					all = append(all, pid)
				}
			}
		}
	}
	return all, nil
}

func readPids(file string) ([]int, error) {
	data, err := read(file)
	// A group of threads has no list. Its processes are in that of the group above
	// which the threads share; a container's own, which has processes, stays such a one.
	if gone(err) || errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for word := range strings.FieldsSeq(string(data)) {
		var pid int
		if _, err := fmt.Sscan(word, &pid); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		// 0 is a process that is not in our pid namespace.
		if pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// tree lists dir and the groups below it, the innermost last.
func tree(dir string) []string {
	var all []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, name)
		}
		return nil // what goes away while we look needs no looking at
	})
	if err != nil {
		return nil
	}
	return all
}

// gone tells that a group, or a file of it, has been removed meanwhile.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}
