package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limit is what the processes of a group may have together. A zero is no limit.
type Limit struct {
	Memory uint64 // bytes
	Pids   uint64 // processes and threads
	// Weight is the part of the processors' time when they do not suffice: a process
	// outside has 100.
	Weight uint64
}

// Has tells whether the kernel bounds what this controller counts.
func Has(controller string) bool { return has(Root, controller) }

func has(root, controller string) bool {
	if unified(root) {
		return slices.Contains(words(path.Join(root, "cgroup.controllers")), controller)
	}
	_, err := os.Stat(path.Join(root, controller))
	return err == nil
}

// Bound makes the outermost group of a path and gives it those limits that it
// has none of: what lies below is bounded with it. It can be called again.
func Bound(name string, l Limit) error { return bound(Root, name, l) }

func bound(root, name string, l Limit) error {
	top, _, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+name), "/"), "/")
	if top == "" {
		return fmt.Errorf("limit cgroup /: %w", ErrNotAContainers)
	}
	var faults []error
	for _, f := range limitFiles(root, top, l) {
		if f.value == 0 || !has(root, f.controller) {
			continue
		}
		if err := f.set(root); err != nil {
			faults = append(faults, fmt.Errorf("limit cgroup %s: %w", top, err))
		}
	}
	return errors.Join(faults...)
}

// limitFile is a file of a group that holds one limit.
type limitFile struct {
	controller, dir, name string
	value                 uint64
	none                  string // the file's text where nobody has written to it; "": see unlimited
}

// What the kernel gives a group that nobody has given a weight: cpu.weight, and
// cpu.shares of version 1.
const (
	freshWeight = 100
	freshShares = 1024
)

func limitFiles(root, top string, l Limit) []limitFile {
	if unified(root) {
		dir := path.Join(root, top)
		return []limitFile{
			{"memory", dir, "memory.max", l.Memory, ""},
			{"pids", dir, "pids.max", l.Pids, ""},
			{"cpu", dir, "cpu.weight", l.Weight, strconv.Itoa(freshWeight)},
		}
	}
	return []limitFile{
		{"memory", path.Join(root, "memory", top), "memory.limit_in_bytes", l.Memory, ""},
		{"pids", path.Join(root, "pids", top), "pids.max", l.Pids, ""},
		{"cpu", path.Join(root, "cpu", top), "cpu.shares", l.Weight * freshShares / freshWeight, strconv.Itoa(freshShares)},
	}
}

// set makes the group and writes the limit, unless there is one.
func (f limitFile) set(root string) error {
	if err := os.Mkdir(f.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := enable(root, f.controller); err != nil {
		return err
	}
	file := path.Join(f.dir, f.name)
	now, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if value := strings.TrimSpace(string(now)); value != f.none && !(f.none == "" && unlimited(value)) {
		return nil
	}
	return os.WriteFile(file, []byte(strconv.FormatUint(f.value, 10)), 0)
}

// unlimited reads a limit as the kernel shows it. Memory of version 1 is as many
// whole pages as fit into 63 bits.
func unlimited(value string) bool {
	n, err := strconv.ParseUint(value, 10, 64)
	return value == "max" || err == nil && n > 1<<62
}

// enable has the groups below the root of the unified hierarchy count what a
// controller counts.
func enable(root, controller string) error {
	file := path.Join(root, "cgroup.subtree_control")
	if !unified(root) || slices.Contains(words(file), controller) {
		return nil
	}
	return os.WriteFile(file, []byte("+"+controller), 0)
}

func words(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// Room is an error if the group, or one that it lies in, has no room for so many processes and threads
// more. What cannot be known is none.
func (g Group) Room(more uint64) error {
	for dir := path.Dir(g.file("pids.max")); ; dir = path.Dir(dir) {
		data, err := read(path.Join(dir, "pids.max"))
		if err != nil {
			return nil // above the outermost, or no such controller
		}
		most, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			continue // "max"
		}
		has, err := Group{v2: g.v2, dirs: []string{dir}}.readNumber("pids.current")
		if err == nil && has+more > most {
			return fmt.Errorf("%s has %d of at most %d processes and threads", dir, has, most)
		}
	}
}
