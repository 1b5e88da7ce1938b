package runtime

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// LowestVersion is the lowest version of OCI's runtime specification that has all that
// a spec says: a runtime of an older one would leave out what it does not know, without
// a word.
func LowestVersion(spec *specs.Spec) string {
	lowest := "1.0.2"
	for _, f := range newer {
		if f.in(spec) {
			lowest = f.version // in ascending order
		}
	}
	return lowest
}

// newer is what came after 1.0.2, by the specification's list of changes.
var newer = []struct {
	version string
	in      func(*specs.Spec) bool
}{
	{"1.1.0", func(s *specs.Spec) bool { return s.Domainname != "" }},
	{"1.1.0", func(s *specs.Spec) bool {
		return s.Process != nil && (s.Process.Scheduler != nil || s.Process.IOPriority != nil)
	}},
	{"1.1.0", func(s *specs.Spec) bool {
		return slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return len(m.UIDMappings)+len(m.GIDMappings) > 0 })
	}},
	{"1.1.0", func(s *specs.Spec) bool {
		cpu := resources(s).CPU
		return cpu != nil && (cpu.Burst != nil || cpu.Idle != nil)
	}},
	{"1.1.0", func(s *specs.Spec) bool {
		memory := resources(s).Memory
		return memory != nil && memory.CheckBeforeUpdate != nil
	}},
	{"1.1.0", func(s *specs.Spec) bool {
		seccomp := linux(s).Seccomp
		return len(linux(s).TimeOffsets) > 0 || seccomp != nil && seccomp.ListenerPath != ""
	}},
	{"1.2.1", func(s *specs.Spec) bool { return s.Process != nil && s.Process.ExecCPUAffinity != nil }},
	{"1.3.0", func(s *specs.Spec) bool { return len(linux(s).NetDevices) > 0 || linux(s).MemoryPolicy != nil }},
}

func linux(s *specs.Spec) specs.Linux {
	if s.Linux == nil {
		return specs.Linux{}
	}
	return *s.Linux
}

func resources(s *specs.Spec) specs.LinuxResources {
	if r := linux(s).Resources; r != nil {
		return *r
	}
	return specs.LinuxResources{}
}
