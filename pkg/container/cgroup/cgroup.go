// Package cgroup finds the control group of a container, kills what is in it,
// takes it away, and reads what it has used: in the unified hierarchy (v2) or
// below every controller of v1. The OCI runtime makes the group; it is ours to
// remove, because a runtime that was killed does not.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Root is where the hierarchies are mounted.
const Root = "/sys/fs/cgroup"

// Unified tells whether this machine runs on cgroup v2.
func Unified() bool { return unified(Root) }

func unified(root string) bool {
	_, err := os.Stat(path.Join(root, "cgroup.controllers"))
	return err == nil
}

// Group is a control group: one folder in v2, one for each controller in v1.
type Group struct {
	v2   bool
	dirs []string
}

// Of names the group that an OCI runtime started by this process gives a
// container: cgroupsPath, or the container's id beside (v2) or below (v1) our
// own group if it is empty or relative.
func Of(cgroupsPath, id string) (Group, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return Group{}, err
	}
	return locate(Root, string(own), cgroupsPath, id)
}

func locate(root, own, cgroupsPath, id string) (Group, error) {
	name := cgroupsPath
	if name == "" {
		name = id
	}
	absolute := path.IsAbs(name)
	name = path.Clean("/" + name)
	if unified(root) {
		parent := "/"
		if !absolute {
			parent = path.Dir(ownPath(own, ""))
		}
		return Group{v2: true, dirs: []string{path.Join(root, parent, name)}}, nil
	}
	controllers, err := controllers(root)
	if err != nil {
		return Group{}, err
	}
	var g Group
	for _, c := range controllers {
		parent := "/"
		if !absolute {
			parent = ownPath(own, c)
		}
		g.dirs = append(g.dirs, path.Join(root, c, parent, name))
	}
	return g, nil
}

// controllers are the folders of v1's root; links there are second names.
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
		for _, c := range strings.Split(words[1], ",") {
			if strings.TrimPrefix(c, "name=") == controller {
				return words[2]
			}
		}
	}
	return "/"
}

// Exists tells whether the group is there, under any controller.
func (g Group) Exists() bool {
	for _, dir := range g.dirs {
		if _, err := os.Lstat(dir); err == nil {
			return true
		}
	}
	return false
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
	data, err := os.ReadFile(file)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, word := range strings.Fields(string(data)) {
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
