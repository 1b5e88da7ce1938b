package build

import (
	"slices"
	"sort"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// allCapabilities are Linux's, by number, up to 5.9's CAP_CHECKPOINT_RESTORE.
var allCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilities are none unless asked for. A program that is not root keeps
// only the ambient ones, so they are part of every other set too.
func (t *translator) capabilities() *specs.LinuxCapabilities {
	y, l := &t.c.Settings, t.label
	key := "capabilities"
	if y.Capabilities == nil && y.CapabilitiesAdd != nil {
		key = "capabilities.add"
	}
	fromLabel := 0
	if y.Capabilities == nil && l.Capabilities != nil {
		fromLabel = len(*l.Capabilities)
	}
	effective := t.knownCapabilities(key, fromLabel, added(y.Capabilities, y.CapabilitiesAdd, l.Capabilities))
	ambient := t.knownCapabilities("ambient", 0, or(y.Ambient, l.Ambient, nil))
	bounding := append(append([]string{}, effective...), ambient...)
	sort.Strings(bounding)
	bounding = slices.Compact(bounding)
	return &specs.LinuxCapabilities{
		Bounding: bounding, Effective: effective, Inheritable: bounding, Permitted: bounding, Ambient: ambient,
	}
}

func (t *translator) knownCapabilities(key string, fromLabel int, list []string) []string {
	if len(list) == 1 {
		switch strings.ToLower(list[0]) {
		case "all":
			return allCapabilities
		case "none":
			return nil
		}
	}
	for i, name := range list {
		if slices.Contains(allCapabilities, name) {
			continue
		}
		where := key
		if i < fromLabel {
			where = "label"
		}
		fault := t.fault(where, i-fromLabel, "no capability is named %q", name).Near(nearCapability(name), allCapabilities)
		if len(list) > 1 && (strings.EqualFold(name, "all") || strings.EqualFold(name, "none")) {
			fault.Nearest = ""
			fault = fault.Wants("%q to stand alone", name)
		}
		t.faults.Add(fault)
	}
	return list
}

// nearCapability writes "net_admin" as its full name, which is then nearest.
func nearCapability(name string) string {
	name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	return name
}
