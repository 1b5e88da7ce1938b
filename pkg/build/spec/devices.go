package spec

import (
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// devices adds the nodes and lets the device cgroup pass them. Path "all"
// makes no node, it lets every device of the type pass.
func (t *translator) devices(linux *specs.Linux) {
	for i, d := range or(t.c.Devices, t.label.Devices, nil) {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: d.Type, Access: "rwm"}
		if d.Path != "all" && d.Type == "a" {
			t.faults.Add(t.fault("devices", i, "device %s: no node is of type a, which stands for all", d.Path).Wants("b, c, u or p, or the path all").Warns())
		}
		if d.Path != "all" {
			rule.Major, rule.Minor = &d.Major, &d.Minor
			linux.Devices = append(linux.Devices, specs.LinuxDevice{
				Path: d.Path, Type: d.Type, Major: d.Major, Minor: d.Minor, FileMode: t.deviceMode(i, d),
			})
		}
		if !t.asLinuxKit() && !runcRule(&rule) {
			continue
		}
		linux.Resources.Devices = append(linux.Resources.Devices, rule)
	}
}

// runcRule makes of a node's type one that runc takes for a rule, which for the
// others ends the start: u is c by another name, and a FIFO needs no rule.
func runcRule(rule *specs.LinuxDeviceCgroup) bool {
	if rule.Type == "u" {
		rule.Type = "c"
	}
	return rule.Type != "p"
}

func (t *translator) deviceMode(i int, d yml.Device) *os.FileMode {
	if d.Mode == "" {
		t.faults.Add(t.fault("devices", i, "device %s has no mode", d.Path).Wants(`permission bits in octal, such as mode: "0666"`))
		return nil
	}
	n, err := strconv.ParseUint(d.Mode, 8, 32)
	if err != nil || n > 0o7777 {
		t.faults.Add(t.fault("devices", i, "mode %q of device %s", d.Mode, d.Path).Wants(`permission bits in octal, such as "0666"`))
		return nil
	}
	mode := os.FileMode(n)
	return &mode
}
