package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

var ownGroup = &syscall.SysProcAttr{Setpgid: true}

// groupMemory is the resident memory of a process group that is its own: pages
// of files, which the kernel can drop, are left out.
func groupMemory(group int) (total int64) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid pgrp ...: the name may hold anything.
		_, rest, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
				kb, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				if err == nil {
					total += kb << 10
				}
			}
		}
	}
	return total
}
