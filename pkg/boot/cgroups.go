package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupDir = "/sys/fs/cgroup"

// cgroupMounts lists the mounts of the chosen hierarchy. controllers is the text
// of /proc/cgroups, which only version 1 needs. No controller is enabled for
// children here: the OCI runtime does that where it wants one.
func cgroupMounts(v1 bool, controllers string) []Mount {
	const flags = noexec | nosuid | nodev
	if !v1 {
		return []Mount{{"cgroup2", cgroupDir, "cgroup2", flags, ""}}
	}
	table := []Mount{{"cgroup_root", cgroupDir, "tmpfs", flags, "mode=755,size=10m"}}
	for _, name := range enabled(controllers) {
		table = append(table, Mount{name, path.Join(cgroupDir, name), "cgroup", flags, name})
	}
	return append(table, Mount{"cgroup", path.Join(cgroupDir, "systemd"), "cgroup", flags, "none,name=systemd"})
}

// enabled returns the controllers of /proc/cgroups whose fourth column is 1.
func enabled(controllers string) []string {
	var names []string
	for line := range strings.Lines(controllers) {
		f := strings.Fields(line)
		if len(f) == 4 && f[3] == "1" && !strings.HasPrefix(f[0], "#") {
			names = append(names, f[0])
		}
	}
	return names
}

func (m *Machine) mountCgroups() error {
	var controllers []byte
	if m.Options.CgroupV1 {
		var err error
		if controllers, err = os.ReadFile("/proc/cgroups"); err != nil {
			return fmt.Errorf("list cgroup controllers: %w", err)
		}
	}
	err := mountAll(cgroupMounts(m.Options.CgroupV1, string(controllers)))
	if !m.Options.CgroupV1 {
		return err
	}
	// Without this a limit of version 1 does not hold for the cgroups below it.
	hierarchy := path.Join(cgroupDir, "memory/memory.use_hierarchy")
	werr := os.WriteFile(hierarchy, []byte("1"), 0)
	if errors.Is(werr, os.ErrNotExist) || errors.Is(werr, unix.EPERM) {
		// No memory controller, or, from 5.11 on, no other choice.
		werr = nil
	}
	return errors.Join(err, werr)
}
