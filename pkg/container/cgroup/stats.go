package cgroup

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Stats is what a group uses. A figure that the kernel does not give is 0.
type Stats struct {
	Memory   Memory
	CPU      time.Duration
	Pids     uint64
	OOMKills uint64 // processes that the kernel killed when out of memory
}

// Stats reads the group's figures.
func (g Group) Stats() (s Stats, err error) {
	if s.CPU, err = g.cpu(); err != nil {
		return s, err
	}
	if s.OOMKills, err = g.OOMKills(); err != nil {
		return s, err
	}
	if s.Memory, err = g.Memory(); err != nil && !gone(err) {
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
	stat, err := g.readKeys("cpu.stat", "usage_usec")
	return time.Duration(stat["usage_usec"]) * time.Microsecond, err
}

// OOMKills counts the processes of the group, or of those below it, that the
// kernel killed when out of memory. Ask before the group is removed.
func (g Group) OOMKills() (uint64, error) {
	file := "memory.events"
	if !g.v2 {
		file = "memory.oom_control"
	}
	events, err := g.readKeys(file, "oom_kill")
	if gone(err) {
		return 0, nil
	}
	return events["oom_kill"], err
}

// readNumber reads a file of one number; without its controller it is 0.
func (g Group) readNumber(name string) (uint64, error) {
	data, err := read(g.file(name))
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", g.file(name), err)
	}
	return n, nil
}

// readKeys reads a file of lines "KEY NUMBER", of which some are wanted.
func (g Group) readKeys(name string, want ...string) (map[string]uint64, error) {
	data, err := read(g.file(name))
	if err != nil {
		return nil, err
	}
	keys := make(map[string]uint64, len(want))
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		for _, w := range want {
			if string(key) != w {
				continue
			}
			if n, err := strconv.ParseUint(string(value), 10, 64); err == nil {
				keys[w] = n
			}
		}
	}
	return keys, nil
}
