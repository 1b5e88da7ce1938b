package build

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
	"slipway/test/allows"
)

// of is what an image of LinuxKit, or one of its examples, gets by default.
type of struct {
	image    string
	label    string // of the image
	yml      string // what the examples say beside name and image
	sys      string // "ro", "rw" or "bind"
	sysctls  string // "all", "net" or "none" of /proc/sys can be written
	filtered bool   // by seccomp
	calls    string // allowed, and not to others
}

// linuxKitImages are LinuxKit's packages with the settings of their labels, and
// containers of its examples and tests.
var linuxKitImages = []of{
	{image: "linuxkit/acpid", label: `{"binds": ["/dev:/dev"], "pid": "host"}`, sys: "ro", sysctls: "none", filtered: true},
	{image: "linuxkit/avahi", label: `{"capabilities": ["CAP_SYS_CHROOT", "CAP_SETUID", "CAP_SETGID"]}`, sys: "ro", sysctls: "none", filtered: true, calls: "chroot"},
	{image: "linuxkit/binfmt", label: `{"capabilities": ["CAP_SYS_ADMIN"], "readonly": true, "net": "new", "ipc": "new"}`, sys: "ro", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/cadvisor", label: `{"pid": "host", "binds": ["/sys:/sys:ro"], "capabilities": ["all"]}`, sys: "bind", sysctls: "all"},
	{image: "linuxkit/dhcpcd", label: `{"binds": ["/run/resolvconf:/etc"], "capabilities": ["CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_ADMIN"]}`, sys: "rw", sysctls: "all", filtered: true, calls: "socket"},
	{image: "linuxkit/dm-crypt", label: `{"binds": ["/dev:/dev"], "devices": [{"path": "all", "type": "a"}], "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"]}`, sys: "rw", sysctls: "all", filtered: true, calls: "add_key keyctl request_key mount"},
	{image: "linuxkit/extend", label: `{"binds": ["/dev:/dev"], "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"], "net": "new", "ipc": "new"}`, sys: "rw", sysctls: "all", filtered: true, calls: "mount umount2"},
	{image: "linuxkit/format", label: `{"binds": ["/dev:/dev"], "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"], "net": "new", "ipc": "new"}`, sys: "rw", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/getty", label: `{"pid": "host", "net": "host", "binds": ["/run:/run", "/sys:/sys"], "capabilities": ["all"]}`, sys: "bind", sysctls: "all"},
	{image: "linuxkit/host-timesync-daemon", yml: "capabilities: [CAP_SYS_TIME]", sys: "ro", sysctls: "none", filtered: true, calls: "clock_settime settimeofday vsock"},
	{image: "linuxkit/ip", yml: "capabilities: [CAP_NET_ADMIN], net: new", sys: "ro", sysctls: "net", filtered: true},
	{image: "linuxkit/iscsid", label: `{"capabilities": ["CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_ADMIN"]}`, sys: "rw", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/kmsg", label: `{"binds": ["/dev/kmsg:/dev/kmsg"], "capabilities": ["CAP_SYSLOG"]}`, sys: "ro", sysctls: "none", filtered: true, calls: "syslog"},
	{image: "linuxkit/logwrite", label: `{"binds": ["/var/run:/var/run", "/var/log:/var/log"]}`, sys: "ro", sysctls: "none", filtered: true},
	{image: "linuxkit/losetup", label: `{"binds": ["/dev:/dev", "/var:/var"], "capabilities": ["CAP_SYS_ADMIN"]}`, sys: "rw", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/metadata", label: `{"binds": ["/dev:/dev", "/var:/var", "/run:/run", "/sys:/sys"], "tmpfs": ["/tmp"], "readonly": true, "capabilities": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]}`, sys: "bind", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/modprobe", yml: "capabilities: [CAP_SYS_MODULE]", sys: "ro", sysctls: "none", filtered: true, calls: "init_module finit_module delete_module"},
	{image: "linuxkit/mount", label: `{"binds": ["/dev:/dev", "/var:/var:rshared,rbind"], "capabilities": ["CAP_SYS_ADMIN"], "rootfsPropagation": "shared", "net": "new", "ipc": "new"}`, sys: "rw", sysctls: "all", filtered: true, calls: "mount"},
	{image: "linuxkit/node_exporter", label: `{"pid": "host", "binds": ["/proc:/host/proc", "/sys:/host/sys", "/:/rootfs"], "capabilities": ["all"]}`, sys: "rw", sysctls: "all"},
	{image: "linuxkit/open-vm-tools", label: `{"pid": "host", "capabilities": ["CAP_SYS_BOOT"]}`, sys: "ro", sysctls: "none", filtered: true, calls: "reboot kexec_load kexec_file_load"},
	{image: "linuxkit/openntpd", yml: "capabilities: [CAP_SYS_TIME, CAP_SYS_NICE, CAP_SYS_CHROOT, CAP_SETUID, CAP_SETGID]", sys: "ro", sysctls: "none", filtered: true, calls: "clock_settime chroot"},
	{image: "linuxkit/qemu-ga", label: `{"net": "host"}`, sys: "ro", sysctls: "none", filtered: true},
	{image: "linuxkit/rngd", yml: "capabilities: [CAP_SYS_ADMIN]", sys: "rw", sysctls: "all", filtered: true},
	{image: "linuxkit/sshd", label: `{"pid": "host", "binds": ["/run:/run", "/dev:/dev", "/sys:/sys"], "capabilities": ["all"]}`, sys: "bind", sysctls: "all"},
	{image: "linuxkit/swap", label: `{"binds": ["/dev:/dev", "/var:/var"], "devices": [{"path": "all", "type": "a"}], "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"], "net": "new", "ipc": "new"}`, sys: "rw", sysctls: "all", filtered: true, calls: "swapon swapoff keyctl"},
	{image: "linuxkit/sysctl", label: `{"pid": "host", "readonly": true, "capabilities": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]}`, sys: "ro", sysctls: "all", filtered: true},
	{image: "linuxkit/sysfs", label: `{"net": "new", "ipc": "new"}`, sys: "rw", sysctls: "none", filtered: true},
	{image: "linuxkit/trim-after-delete", yml: "capabilities: [CAP_SYS_ADMIN]", sys: "rw", sysctls: "all", filtered: true},
	{image: "linuxkit/vpnkit-forwarder", yml: `net: host, binds: ["/var/vpnkit:/port"]`, sys: "ro", sysctls: "none", filtered: true, calls: "vsock"},
	{image: "linuxkit/vsudd", yml: `binds: ["/var/run:/var/run"]`, sys: "ro", sysctls: "none", filtered: true, calls: "vsock"},
	{image: "docker:dind", yml: `capabilities: [all], net: host, mounts: [{type: cgroup, options: [rw, nosuid, noexec, nodev, relatime]}]`, sys: "rw", sysctls: "all"},
	{image: "nginx:alpine", yml: "capabilities: [CAP_NET_BIND_SERVICE, CAP_CHOWN, CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE]", sys: "ro", sysctls: "none", filtered: true, calls: "setgroups chown"},
	// An image of the same name that is another's gets nothing.
	{image: "example.com/linuxkit/sysfs", sys: "ro", sysctls: "none", filtered: true},
	// Ways to ask for more.
	{image: "asks/sysfs", yml: "mounts: [{type: sysfs}]", sys: "rw", sysctls: "none", filtered: true},
	{image: "asks/bind", yml: `binds: ["/sys:/sys"]`, sys: "bind", sysctls: "none", filtered: true},
	{image: "asks/readonly", yml: "mounts: [{type: sysfs, options: [ro]}]", sys: "ro", sysctls: "none", filtered: true},
	{image: "asks/sysctls", yml: "readonlyPaths: []", sys: "ro", sysctls: "all", filtered: true},
	{image: "asks/calls", yml: "annotations: {slipway.seccomp: unconfined}", sys: "ro", sysctls: "none"},
	{image: "asks/filter", yml: "capabilities: [all], annotations: {slipway.seccomp: default}", sys: "rw", sysctls: "all", filtered: true, calls: "mount"},
}

// TestLinuxKitImages holds what LinuxKit's own images need of /sys, /proc/sys
// and the system calls.
func TestLinuxKitImages(t *testing.T) {
	store := oci.OpenLayout(t.TempDir(), true)
	var text strings.Builder
	text.WriteString("services:\n")
	for i, x := range linuxKitImages {
		labels := map[string]string{}
		if x.label != "" {
			labels[spec.LabelKey] = x.label
		}
		put(t, store, x.image, v1.Config{Cmd: []string{"/bin/app"}, Labels: labels}, archive(t, "bin/app=app", "tmp/"))
		more := ""
		if x.yml != "" {
			more = ", " + x.yml
		}
		fmt.Fprintf(&text, "  - {name: c%d, image: %q%s}\n", i, x.image, more)
	}
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, text.String())
	for i, spec := range translated(t, only{store}, "amd64", file) {
		linuxKitImages[i].check(t, spec)
	}
}

// translated are the config.json of a file's containers.
func translated(t *testing.T, finder Finder, arch, file string) []*specs.Spec {
	t.Helper()
	b := &Builder{Finder: finder, Platform: v1.Platform{OS: "linux", Architecture: arch}, Hardening: spec.HardeningDefault}
	config, faults, err := yml.Read(t.Context(), []string{file}, nil)
	if err != nil || len(faults.Only(yml.Error)) > 0 {
		t.Fatal(err, faults)
	}
	set, containers, faults, err := b.look(t.Context(), config)
	if err != nil || len(faults.Only(yml.Error)) > 0 {
		t.Fatal(err, faults)
	}
	if err := set.close(); err != nil {
		t.Error(err)
	}
	var list []*specs.Spec
	for _, c := range containers {
		list = append(list, c.Spec)
	}
	return list
}

func (x of) check(t *testing.T, spec *specs.Spec) {
	t.Helper()
	if got := sysOf(spec); got != x.sys {
		t.Errorf("%s: /sys is %s, want %s", x.image, got, x.sys)
	}
	if got := sysctlsOf(spec); got != x.sysctls {
		t.Errorf("%s: may write %s of /proc/sys, want %s", x.image, got, x.sysctls)
	}
	if (spec.Linux.Seccomp != nil) != x.filtered {
		t.Errorf("%s: filtered %t, want %t", x.image, !x.filtered, x.filtered)
	}
	for call := range strings.FieldsSeq(x.calls) {
		if x.filtered && !allows.Call(spec.Linux.Seccomp, call) {
			t.Errorf("%s: may not call %s", x.image, call)
		}
	}
	for _, call := range []string{"unshare", "io_uring_setup", "keyctl", "add_key", "request_key", "vsock", "socketcall", "mount", "swapon", "init_module", "kexec_load", "clock_settime", "bpf"} {
		asked := strings.Contains(" "+x.calls+" ", " "+call+" ") || slices.Contains(spec.Process.Capabilities.Bounding, "CAP_SYS_ADMIN")
		if x.filtered && !asked && allows.Call(spec.Linux.Seccomp, call) {
			t.Errorf("%s: may call %s", x.image, call)
		}
	}
}

func sysOf(spec *specs.Spec) string {
	for _, m := range spec.Mounts {
		switch {
		case m.Destination != "/sys":
		case m.Type == "bind":
			return "bind"
		case slices.Contains(m.Options, "ro"):
			return "ro"
		default:
			return "rw"
		}
	}
	return "none"
}

func sysctlsOf(spec *specs.Spec) string {
	switch paths := spec.Linux.ReadonlyPaths; {
	case slices.Contains(paths, "/proc/sys"):
		return "none"
	case slices.Contains(paths, "/proc/sys/kernel") && !slices.Contains(paths, "/proc/sys/net"):
		return "net"
	case !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "/proc/sys/") }):
		return "all"
	}
	return "some"
}

// TestLinuxKitLayoutsHardened builds what LinuxKit's tool builds with our own
// defaults: what it takes is taken, what it refuses is refused.
func TestLinuxKitLayoutsHardened(t *testing.T) {
	linuxkitCases(t, spec.HardeningDefault, func(t *testing.T, _ string, want golden, _ []byte, err error) {
		if want.Error != (err != nil) {
			t.Error(err)
		}
	})
}
