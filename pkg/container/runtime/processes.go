package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// Hook is a program that the runtime runs at some point of a container's life.
type Hook struct{ Kind, Path string }

// killTree kills all that a stopped runtime has started, hooks with sessions of
// their own too, and names the hook among it. What these have started meanwhile is
// looked for again.
func killTree(pid int, hooks []Hook) (hook string) {
	for range 10 {
		below := Descendants(pid)
		if len(below) == 0 {
			return hook
		}
		if hook == "" {
			hook = hookOf(below, hooks)
		}
		for _, p := range below {
			_ = unix.Kill(p, unix.SIGKILL) // it may have ended meanwhile
		}
		time.Sleep(time.Millisecond)
	}
	return hook
}

// AtWork lists the processes that start a container: that of the runtime's call, those
// that it has started, and those that it has left to work without it, as crun does.
func AtWork(id string, call int) []int {
	pids := append(Descendants(call), call)
	found, _, err := runtimesFor(id)
	if err != nil {
		return pids
	}
	for _, p := range found {
		if !slices.Contains(pids, p.Pid) {
			pids = append(append(pids, p.Pid), Descendants(p.Pid)...)
		}
	}
	return pids
}

// Descendants lists the children of a process that have not ended, theirs too.
func Descendants(pid int) (below []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(path.Join("/proc", e.Name(), "stat"))
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if err != nil || len(fields) < 2 || string(fields[0]) == "Z" {
			continue
		}
		if parent, err := strconv.Atoi(string(fields[1])); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	for next := children[pid]; len(next) > 0; next = next[1:] {
		below = append(below, next[0])
		next = append(next, children[next[0]]...)
	}
	return below
}

// hookOf finds out which of the hooks is among some processes, by program or, if
// it is a script, by arguments.
func hookOf(pids []int, hooks []Hook) string {
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d", pid)
		program, err := os.Readlink(dir + "/exe")
		if err != nil {
			program = ""
		}
		args := reap.ReadProc(pid, "cmdline")
		for _, h := range hooks {
			same := func(arg []byte) bool { return string(arg) == h.Path }
			// One that runs inside has the container's root before its path.
			if strings.HasSuffix(program, h.Path) || slices.ContainsFunc(bytes.Split(args, []byte{0}), same) {
				return h.Kind + " hook " + h.Path
			}
		}
	}
	return ""
}
