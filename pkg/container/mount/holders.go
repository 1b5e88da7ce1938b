package mount

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"slipway/pkg/reap"
)

// maxHolders bounds what is said about who keeps a mount busy.
const maxHolders = 8

// Holders names the processes that keep target busy, such as
// "pid 71 (sh): cwd". It reads all of /proc, so it is for the case that an
// unmount has failed. A process that ends meanwhile is left out.
func Holders(target string) []string {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []string
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if what := holds(pid, target); len(what) > 0 {
			found = append(found, fmt.Sprintf("pid %d (%s): %s", pid, command(pid), strings.Join(what, ", ")))
		}
		if len(found) == maxHolders {
			return append(found, "and maybe more")
		}
	}
	return found
}

func command(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "?"
	}
	return string(bytes.TrimSpace(name))
}

// holds lists the links in /proc/PID that lead to target or below it.
func holds(pid int, target string) []string {
	proc := fmt.Sprintf("/proc/%d", pid)
	var what []string
	for _, link := range []string{"cwd", "root", "exe"} {
		if leadsBelow(path.Join(proc, link), target) {
			what = append(what, link)
		}
	}
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		fds = nil // the process has ended, or is a kernel thread
	}
	for _, fd := range fds {
		if leadsBelow(path.Join(proc, "fd", fd.Name()), target) {
			what = append(what, "fd "+fd.Name())
			break
		}
	}
	if bytes.Contains(reap.ReadProc(pid, "maps"), []byte(" "+target+"/")) {
		what = append(what, "mapped file")
	}
	return what
}

func leadsBelow(link, target string) bool {
	to, err := os.Readlink(link)
	return err == nil && Below(to, target)
}
