package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one that /proc shows.
type process struct {
	pid  int
	name string
	user bool // no kernel thread, and not PID 1
}

// processes lists what runs. What cannot be read has just ended.
func processes() []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// PID (NAME) STATE PPID ...; NAME may hold anything.
		text := string(stat)
		open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		fields := strings.Fields(text[end+1:])
		if open < 0 || end < open || len(fields) < 2 {
			continue
		}
		const kthreadd = "2"
		user := pid != 1 && e.Name() != kthreadd && fields[1] != kthreadd && fields[0] != "Z"
		list = append(list, process{pid: pid, name: text[open+1 : end], user: user})
	}
	return list
}

// holders says who uses a mount: whose root, working directory, program or open
// file lies on it. It is asked only when a filesystem cannot be unmounted.
func holders(target string) []string {
	below := func(name string) bool { return name == target || strings.HasPrefix(name, target+"/") }
	var names []string
	for _, p := range processes() {
		dir := filepath.Join("/proc", strconv.Itoa(p.pid))
		links := []string{"root", "cwd", "exe"}
		if fds, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
			for _, fd := range fds {
				links = append(links, "fd/"+fd.Name())
			}
		}
		for _, l := range links {
			if file, err := os.Readlink(filepath.Join(dir, l)); err == nil && below(file) {
				names = append(names, p.name+" ("+strconv.Itoa(p.pid)+", "+l+")")
				break
			}
		}
	}
	return names
}
