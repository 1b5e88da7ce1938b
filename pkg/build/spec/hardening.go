package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/oci"
)

// Hardening says what a container gets that its YAML does not ask for.
type Hardening string

const (
	// HardeningDefault confines containers to what the YAML or the image's label
	// asks for: those without CAP_SYS_ADMIN get a read-only /sys, the paths that
	// OCI runtimes mask by default and no_new_privs, those without all
	// capabilities a seccomp filter, where nothing is said of them.
	HardeningDefault Hardening = "default"
	// HardeningNone gives what LinuxKit's own tool gives, to the letter, with
	// the values it loses and the entries it writes twice.
	HardeningNone Hardening = "none"
)

// ParseHardening reads the flag.
func ParseHardening(s string) (Hardening, error) {
	switch h := Hardening(s); h {
	case HardeningDefault, HardeningNone:
		if Lacking != "" && h == HardeningDefault {
			return "", errors.New(Lacking)
		}
		return h, nil
	}
	return "", fmt.Errorf("hardening %q: want %s or %s", s, HardeningDefault, HardeningNone)
}

// maskedPaths and readonlyPaths are the ones Docker and Podman set. Beside those,
// masked is what tells root alone how the kernel's memory is used, page by page and
// object by object, since a container's root is the same user; read-only is
// dynamic_debug, by which anyone could flood the console with the kernel's own
// words, and pressure: the kernel waits some milliseconds for each of its triggers that is closed, so
// a process with many of them takes hours to end. None of them is there in every kernel.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/allocinfo", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/latency_stats", "/proc/pagetypeinfo",
		"/proc/scsi", "/proc/sched_debug", "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/dynamic_debug", "/proc/fs", "/proc/irq", "/proc/pressure", "/proc/sys", "/proc/sysrq-trigger"}
)

// sysctlDirectories are what kernels have below /proc/sys beside net.
var sysctlDirectories = []string{
	"abi", "crypto", "debug", "dev", "fs", "fscache", "kernel", "lnet", "nfs", "sunrpc", "user", "vm", "xen",
}

// needs is what images of LinuxKit do that neither their labels nor its examples
// ask for.
type needs struct {
	sys   bool // write below /sys
	vsock bool // talk to the hypervisor
}

var linuxKitNeeds = map[string]needs{
	"docker.io/linuxkit/sysfs":                {sys: true},
	"docker.io/linuxkit/vsudd":                {vsock: true},
	"docker.io/linuxkit/vpnkit-forwarder":     {vsock: true},
	"docker.io/linuxkit/host-timesync-daemon": {vsock: true},
}

func (t *translator) needs() needs {
	name, _, _ := strings.Cut(oci.FullName(t.c.Image), "@")
	name, _, _ = strings.Cut(name, ":")
	return linuxKitNeeds[name]
}

// may tells whether the container has a capability.
func (t *translator) may(capability string) bool { return slices.Contains(t.bounding, capability) }

// confined tells whether the container is kept from the kernel's settings: not
// where it could undo that by itself.
func (t *translator) confined() bool { return !t.asLinuxKit() && !t.may("CAP_SYS_ADMIN") }

// harden fills in what nobody has said anything of. A container with no
// capability at all, but root's user, can write the machine's sysctls and its
// sysrq trigger otherwise, take its devices away and suspend it.
func (t *translator) harden(spec *specs.Spec) {
	if t.confined() {
		y, l := &t.c.Settings, t.label
		if y.MaskedPaths == nil && l.MaskedPaths == nil {
			spec.Linux.MaskedPaths = notBound(maskedPaths, spec.Mounts)
		}
		if y.ReadonlyPaths == nil && l.ReadonlyPaths == nil {
			spec.Linux.ReadonlyPaths = append(notBound(t.readonlyPaths(), spec.Mounts), belowReadonlyBinds(spec)...)
		}
		if y.NoNewPrivileges == nil && l.NoNewPrivileges == nil {
			spec.Process.NoNewPrivileges = true
		}
	}
	spec.Linux.Seccomp = t.seccomp(spec)
}

// readonlyPaths leave the network's sysctls to those who may set it up.
func (t *translator) readonlyPaths() []string {
	if !t.may("CAP_NET_ADMIN") {
		return readonlyPaths
	}
	var out []string
	for _, p := range readonlyPaths {
		if p != "/proc/sys" {
			out = append(out, p)
			continue
		}
		for _, dir := range sysctlDirectories {
			out = append(out, path.Join(p, dir))
		}
	}
	return out
}

// notBound leaves out what lies below a bind mount: such a mount is shared with
// the machine by default, and a mask on it would hide the path from everybody.
func notBound(paths []string, mounts []specs.Mount) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return slices.ContainsFunc(mounts, func(m specs.Mount) bool {
			return m.Type == "bind" && Within(p, path.Clean(m.Destination))
		})
	})
}

// machineMounts are the file systems that the boot mounts, each below those
// before it.
var machineMounts = []string{
	"/dev", "/dev/mqueue", "/dev/shm", "/proc", "/proc/sys/fs/binfmt_misc", "/run", "/sys", "/sys/firmware/efi/efivars",
	"/sys/fs/bpf", "/sys/fs/cgroup", "/sys/fs/fuse/connections", "/sys/fs/pstore", "/sys/fs/selinux", "/sys/kernel/config",
	"/sys/kernel/debug", "/sys/kernel/debug/tracing", "/sys/kernel/security", "/sys/kernel/tracing", "/tmp", "/var",
}

// belowReadonlyBinds lists what lies on a file system of its own below a
// read-only bind mount. The kernel makes the topmost one read-only alone: a
// container with "/:/host:ro" could write /host/sys. A mount that is shared with
// the machine cannot be changed for the container only.
func belowReadonlyBinds(spec *specs.Spec) []string {
	if strings.Contains(spec.Linux.RootfsPropagation, "shared") {
		return nil
	}
	var out []string
	for _, b := range spec.Mounts {
		if b.Type != "bind" || !bindsReadonly(b.Options) || slices.Contains(b.Options, "shared") || slices.Contains(b.Options, "rshared") {
			continue
		}
		for _, m := range machineMounts {
			source := MachinePath(b.Source)
			if m != source && Within(m, source) {
				out = append(out, path.Join(b.Destination, strings.TrimPrefix(m, source)))
			}
		}
	}
	return out
}
