package build

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Hardening says what a container gets that its YAML does not ask for.
type Hardening string

const (
	// HardeningDefault gives containers without CAP_SYS_ADMIN the paths that
	// OCI runtimes mask by default and no_new_privs, where neither the YAML nor
	// the image's label says anything of them.
	HardeningDefault Hardening = "default"
	// HardeningNone gives what LinuxKit's own tool gives, to the letter, with
	// the values it loses and the entries it writes twice.
	HardeningNone Hardening = "none"
)

// ParseHardening reads the flag.
func ParseHardening(s string) (Hardening, error) {
	switch h := Hardening(s); h {
	case HardeningDefault, HardeningNone:
		return h, nil
	}
	return "", fmt.Errorf("hardening %q: want %s or %s", s, HardeningDefault, HardeningNone)
}

// maskedPaths and readonlyPaths are the ones Docker and Podman set.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/scsi", "/proc/sched_debug", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// harden fills in what nobody has said anything of. A container with no
// capability at all, but root's user, can write the machine's sysctls and its
// sysrq trigger otherwise.
func (t *translator) harden(spec *specs.Spec) {
	if t.hardening == HardeningNone || slices.Contains(spec.Process.Capabilities.Bounding, "CAP_SYS_ADMIN") {
		return
	}
	y, l := &t.c.Settings, t.label
	if y.MaskedPaths == nil && l.MaskedPaths == nil {
		spec.Linux.MaskedPaths = notBound(maskedPaths, spec.Mounts)
	}
	if y.ReadonlyPaths == nil && l.ReadonlyPaths == nil {
		spec.Linux.ReadonlyPaths = notBound(readonlyPaths, spec.Mounts)
	}
	if y.NoNewPrivileges == nil && l.NoNewPrivileges == nil {
		spec.Process.NoNewPrivileges = true
	}
}

// notBound leaves out what lies below a bind mount: such a mount is shared with
// the machine by default, and a mask on it would hide the path from everybody.
func notBound(paths []string, mounts []specs.Mount) []string {
	var out []string
	for _, p := range paths {
		if !slices.ContainsFunc(mounts, func(m specs.Mount) bool {
			return m.Type == "bind" && (p == m.Destination || strings.HasPrefix(p, strings.TrimSuffix(m.Destination, "/")+"/"))
		}) {
			out = append(out, p)
		}
	}
	return out
}
