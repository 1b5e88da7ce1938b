package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

const cgroupDir = "/sys/fs/cgroup"

// cgroupMounts lists the mounts of the chosen hierarchy. controllers is the text
// of /proc/cgroups, which only version 1 needs. No controller is enabled for
// children here: the OCI runtime does that where it wants one.
func cgroupMounts(v1 bool, controllers string) []mount.Mount {
	const flags = noexec | nosuid | nodev
	if !v1 {
		return []mount.Mount{{Source: "cgroup2", Target: cgroupDir, Type: "cgroup2", Flags: flags}}
	}
	root := mount.Mount{Source: "cgroup_root", Target: cgroupDir, Type: "tmpfs", Flags: flags, Data: []string{"mode=755", "size=10m"}}
	table := []mount.Mount{root}
	add := func(name string, data ...string) {
		table = append(table, mount.Mount{Source: name, Target: path.Join(cgroupDir, name), Type: "cgroup", Flags: flags, Data: data})
	}
	for _, name := range enabled(controllers) {
		add(name, name)
	}
	add("systemd", "none", "name=systemd")
	return table
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
