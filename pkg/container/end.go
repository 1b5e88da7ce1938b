package container

import (
	"fmt"
	"os"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/container/memory"
	"slipway/pkg/reap"
)

// OOMKilled tells whether the kernel killed anything in a container because it was
// out of memory. It has to be asked before the container is cleaned up.
func OOMKilled(c Instance) bool {
	n, err := c.Group().OOMKills()
	return err == nil && n > 0
}

// OOMCause words such an end: how the container ended, which limit was hit, and
// who had filled it.
func OOMCause(c Instance, s reap.Status) string {
	if why := memory.Why(c.Group()); why != "" {
		return s.WithOOM() + ": " + why
	}
	return s.WithOOM()
}

// maxLeft is how many processes Left names.
const maxLeft = 5

// Left names the processes that live on though the container's own has ended, or
// gives "". In a PID namespace of the container's they end with it by the kernel;
// in another one they are the clean-up's to end. It has to be asked before that.
func Left(c Instance, spec *specs.Spec) string {
	if ownPIDs(spec) {
		return ""
	}
	pids, err := c.Group().Pids()
	if err != nil {
		return "" // the cgroup is gone, and they with it
	}
	var names []string
	for _, pid := range pids {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && pid != c.Ident().Pid {
			names = append(names, fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), pid))
		}
	}
	if more := len(names) - maxLeft; more > 0 {
		names = append(names[:maxLeft], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// ownPIDs tells whether a container gets a PID namespace that is not there yet.
func ownPIDs(spec *specs.Spec) bool {
	return spec != nil && spec.Linux != nil && slices.ContainsFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.PIDNamespace && n.Path == ""
	})
}
