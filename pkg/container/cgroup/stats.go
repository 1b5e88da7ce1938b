package cgroup

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Stats is what a group uses. A figure that the kernel does not give is 0.
type Stats struct {
	Memory   uint64 // bytes in use now
	Files    uint64 // those of them in files in memory
	CPU      time.Duration
	Pids     uint64
	OOMKills uint64 // processes that the kernel killed when out of memory
}

// Stats reads the group's figures.
func (g Group) Stats() (s Stats, err error) {
	memory, files := "memory.current", "shmem"
	if !g.v2 {
		memory, files = "memory.usage_in_bytes", "total_shmem"
	}
	if s.CPU, err = g.cpu(); err != nil {
		return s, err
	}
	if s.OOMKills, err = g.OOMKills(); err != nil {
		return s, err
	}
	if s.Memory, err = g.readNumber(memory); err != nil {
		return s, err
	}
	if s.Files, err = g.files(files); err != nil {
		return s, err
	}
	s.Pids, err = g.readNumber("pids.current")
	return s, err
}

func (g Group) cpu() (time.Duration, error) {
	if !g.v2 {
		ns, err := g.readNumber("cpuacct.usage")
		return time.Duration(ns), err
	}
	stat, err := g.readKeys("cpu.stat")
	return time.Duration(stat["usage_usec"]) * time.Microsecond, err
}

func (g Group) files(key string) (uint64, error) {
	stat, err := g.readKeys("memory.stat")
	if gone(err) {
		return 0, nil
	}
	return stat[key], err
}

// OOMKills counts the processes of the group, or of those below it, that the
// kernel killed when out of memory. Ask before the group is removed.
func (g Group) OOMKills() (uint64, error) {
	file := "memory.events"
	if !g.v2 {
		file = "memory.oom_control"
	}
	events, err := g.readKeys(file)
	if gone(err) {
		return 0, nil
	}
	return events["oom_kill"], err
}

// readNumber reads a file of one number; without its controller it is 0.
func (g Group) readNumber(name string) (uint64, error) {
	data, err := os.ReadFile(g.file(name))
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
}

// readKeys reads a file of lines "KEY NUMBER".
func (g Group) readKeys(name string) (map[string]uint64, error) {
	data, err := os.ReadFile(g.file(name))
	if err != nil {
		return nil, err
	}
	keys := map[string]uint64{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			keys[key] = n
		}
	}
	return keys, nil
}
