package boot

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one that /proc shows. What is read of it there (stat, comm, cgroup,
// wchan, links) takes none of the locks that one in uninterruptible sleep may
// hold: cmdline, environ and maps would.
type process struct {
	pid  int
	name string
	user bool // no kernel thread, and not PID 1
	// stuck is the thread of it that is in uninterruptible sleep, which no signal
	// reaches; 0: none.
	stuck int
}

const procDir = "/proc"

// processes lists what runs. What cannot be read has just ended.
func processes() []process {
	entries, err := os.ReadDir(procDir)
	if err != nil {
		return nil
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		name, fields, ok := readStat(filepath.Join(procDir, e.Name()))
		if !ok {
			continue
		}
		p := process{pid: pid, name: name, stuck: stuckThread(pid, fields)}
		const kthreadd = "2"
		ended := fields[0] == "Z" && p.stuck == 0 // all of its threads have
		p.user = pid != 1 && e.Name() != kthreadd && fields[1] != kthreadd && !ended
		list = append(list, p)
	}
	return list
}

// readStat gives the name and what follows: STATE PPID ...
func readStat(dir string) (name string, fields []string, ok bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", nil, false
	}
	// PID (NAME) STATE PPID ...; NAME may hold anything.
	text := string(stat)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", nil, false
	}
	fields = strings.Fields(text[end+1:])
	return text[open+1 : end], fields, len(fields) > threadsField
}

// threadsField is num_threads of proc(5), counted from the state.
const threadsField = 20 - 3

// stuckThread looks at all threads of a process that has several: its first one
// may have ended, or wait for another that hangs.
func stuckThread(pid int, fields []string) int {
	if fields[0] == "D" {
		return pid
	}
	if fields[threadsField] == "1" || fields[threadsField] == "0" {
		return 0
	}
	tasks := filepath.Join(procDir, strconv.Itoa(pid), "task")
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if _, f, ok := readStat(filepath.Join(tasks, e.Name())); ok && f[0] == "D" {
			if tid, err := strconv.Atoi(e.Name()); err == nil {
				return tid
			}
		}
	}
	return 0
}

// allStuck names those that are in uninterruptible sleep, and says whether there
// are no others.
func allStuck(list []process) (names string, all bool) {
	all = true
	for _, p := range list {
		switch {
		case !p.user:
		case p.stuck == 0:
			all = false
		default:
			names += fmt.Sprintf(" %d", p.stuck)
		}
	}
	return names, all && names != ""
}

// String names a process as people can find it: with its container, and where in
// the kernel it hangs.
func (p process) String() string {
	text := fmt.Sprintf("%d (%s)", p.pid, p.name)
	if c := containerOf(p.pid); c != "" {
		text += " of " + c
	}
	if p.stuck == 0 {
		return text
	}
	where, err := os.ReadFile(filepath.Join(procDir, strconv.Itoa(p.pid), "task", strconv.Itoa(p.stuck), "wchan"))
	if at := strings.TrimSpace(string(where)); err == nil && at != "" && at != "0" {
		return text + ", hangs in " + at
	}
	return text + ", hangs in the kernel"
}

// containerOf is the name of a process's cgroup, which is its container's.
func containerOf(pid int) string {
	data, err := os.ReadFile(filepath.Join(procDir, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		// ID:CONTROLLERS:PATH
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && f[2] != "/" {
			return path.Base(f[2])
		}
	}
	return ""
}

// processNames lists what still runs, for the console.
func processNames() string {
	text := ""
	for _, p := range processes() {
		if p.user {
			text += " " + p.String() + ";"
		}
	}
	return strings.TrimSuffix(text, ";")
}

// sayStuck names the processes that hang in the kernel.
func (m *Machine) sayStuck() {
	for _, p := range processes() {
		if p.user && p.stuck != 0 {
			m.Console.Printf("left behind: %s", p)
		}
	}
}

// holders says who uses a mount: whose root, working directory, program or open
// file lies on it. It is asked only when a filesystem cannot be unmounted.
func holders(target string) []string {
	below := func(name string) bool { return name == target || strings.HasPrefix(name, target+"/") }
	var names []string
	for _, p := range processes() {
		dir := filepath.Join(procDir, strconv.Itoa(p.pid))
		links := []string{"root", "cwd", "exe"}
		if fds, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
			for _, fd := range fds {
				links = append(links, "fd/"+fd.Name())
			}
		}
		for _, l := range links {
			if file, err := os.Readlink(filepath.Join(dir, l)); err == nil && below(file) {
				names = append(names, p.String()+" ("+l+")")
				break
			}
		}
	}
	return names
}
