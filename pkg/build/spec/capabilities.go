package spec

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

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
	bounding := slices.Concat(effective, ambient)
	slices.Sort(bounding)
	bounding = slices.Compact(bounding)
	return &specs.LinuxCapabilities{
		Bounding: bounding, Effective: effective, Inheritable: bounding, Permitted: bounding, Ambient: ambient,
	}
}

func (t *translator) knownCapabilities(key string, fromLabel int, list []string) []string {
	if len(list) == 1 {
		switch strings.ToLower(list[0]) {
		case "all":
			return yml.Capabilities
		case "none":
			return nil
		}
	}
	for i, name := range list {
		if slices.Contains(yml.Capabilities, name) {
			continue
		}
		where := key
		if i < fromLabel {
			where = "label"
		}
		fault := t.fault(where, i-fromLabel, "no capability is named %q", name).Near(nearCapability(name), yml.Capabilities)
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
