package cgroup

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// Memory is what a group holds of it, in bytes.
type Memory struct {
	Current uint64
	// Files is the part that lies in files in memory (tmpfs), which stays when
	// a process ends.
	Files uint64
	// Cache can be had back at once, but for what is kept: copies of what is on disks.
	Cache uint64
	// Kept is how much of all this the kernel leaves to the group when others want
	// it (memory.min); version 1 has no such thing.
	Kept uint64
}

// Held is what cannot be had back as long as the group's processes and files
// are there.
func (m Memory) Held() uint64 { return max(m.taken(), min(m.Current, m.Kept)) }

// KeptCache is the part of Held that is copies of what is on disks. The group above
// counts it as Cache.
func (m Memory) KeptCache() uint64 { return m.Held() - m.taken() }

func (m Memory) taken() uint64 { return m.Current - min(m.Current, m.Cache) }

// Memory reads it.
func (g Group) Memory() (m Memory, err error) {
	current, prefix := "memory.current", ""
	if !g.v2 {
		current, prefix = "memory.usage_in_bytes", "total_"
	}
	if m.Current, err = g.readNumber(current); err != nil {
		return m, err
	}
	stat, err := g.readKeys("memory.stat", prefix+"shmem", prefix+"active_file", prefix+"inactive_file", "slab_reclaimable")
	if err != nil {
		return m, err
	}
	m.Files = stat[prefix+"shmem"]
	m.Cache = stat[prefix+"active_file"] + stat[prefix+"inactive_file"] + stat["slab_reclaimable"]
	if g.v2 {
		if m.Kept, err = g.readNumber("memory.min"); err != nil {
			m.Kept = math.MaxUint64 // the word "max"
		}
	}
	return m, nil
}

// MemoryLimit is the group's own, in bytes; 0: none.
func (g Group) MemoryLimit() uint64 {
	name := "memory.max"
	if !g.v2 {
		name = "memory.limit_in_bytes"
	}
	data, err := read(g.file(name))
	if value := strings.TrimSpace(string(data)); err == nil && !unlimited(value) {
		n, _ := strconv.ParseUint(value, 10, 64)
		return n
	}
	return 0
}

// MemoryPeak is the most that the group ever held, in bytes; 0: the kernel does not say.
func (g Group) MemoryPeak() uint64 {
	name := "memory.peak"
	if !g.v2 {
		name = "memory.max_usage_in_bytes"
	}
	n, _ := g.readNumber(name)
	return n
}

// GroupOOM tells whether a limit of the group itself, or of one below it, made the
// kernel kill; otherwise it was one above, or the machine as a whole.
func (g Group) GroupOOM() bool { return g.outOfMemory("memory.events") }

// LimitHit tells whether the group's own limit ever did, not one below it (Linux 5.2;
// before, as GroupOOM).
func (g Group) LimitHit() bool {
	if _, err := os.Lstat(g.file("memory.events.local")); g.v2 && err != nil {
		return g.GroupOOM()
	}
	return g.outOfMemory("memory.events.local")
}

func (g Group) outOfMemory(events string) bool {
	if !g.v2 {
		hit, err := g.readNumber("memory.failcnt")
		return err == nil && hit > 0
	}
	counts, err := g.readKeys(events, "oom")
	return err == nil && counts["oom"] > 0
}

// SetHigh sets from where on the kernel tells that the group holds much, in
// bytes; it also slows down who wants more, so it is not to stay. 0: nowhere.
// Version 1 has no such thing.
func (g Group) SetHigh(bytes uint64) error {
	if bytes == 0 {
		return g.write("memory.high", "max")
	}
	return g.write("memory.high", strconv.FormatUint(bytes, 10))
}

// Top is the group of all containers.
func Top() Group { return top(Root) }

func top(root string) Group {
	if unified(root) {
		return Group{v2: true, dirs: []string{path.Join(root, Parent)}}
	}
	return Group{dirs: []string{path.Join(root, "memory", Parent)}}
}

// Outer is the outermost group of those that g lies in, or g, and its name: a limit
// for several is there.
func (g Group) Outer() (Group, string) { return g.outer(Root) }

func (g Group) outer(root string) (Group, string) {
	if !g.v2 {
		root = path.Join(root, "memory")
	}
	for _, dir := range g.dirs {
		if below, in := strings.CutPrefix(dir, root+"/"); in {
			name, _, _ := strings.Cut(below, "/")
			return Group{v2: g.v2, dirs: []string{path.Join(root, name)}}, "/" + name
		}
	}
	return g, ""
}

// File is the path of a file of the group.
func (g Group) File(name string) string { return g.file(name) }

// Members are the groups of all containers in Parent, by the containers' ids.
func Members() (map[string]Group, error) { return members(Root) }

func members(root string) (map[string]Group, error) {
	t := top(root)
	entries, err := os.ReadDir(t.dirs[0])
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string]Group{}
	for _, e := range entries {
		if e.IsDir() {
			all[e.Name()] = Group{v2: t.v2, dirs: []string{path.Join(t.dirs[0], e.Name())}}
		}
	}
	return all, nil
}
