package spec

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// defaultMounts are Docker's but for /dev/shm and /dev/mqueue, as in LinuxKit.
// A writable /sys lets root's user, with no capability, remove and suspend the
// machine's devices.
func defaultMounts(readonly, readonlySys bool) []specs.Mount {
	dev := []string{"nosuid", "strictatime", "mode=755", "size=65536k"}
	sys := []string{"nosuid", "noexec", "nodev"}
	if readonly {
		dev = append(dev, "ro")
	}
	if readonly || readonlySys {
		sys = append(sys, "ro")
	}
	return []specs.Mount{
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: dev},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec", "relatime"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sys},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
}

// mounts lists the container's mounts by destination, so that /dev is mounted
// before /dev/pts. A later kind replaces an earlier one's mount on the same
// destination: defaults, tmpfs, binds, mounts.
func (t *translator) mounts(readonly bool) []specs.Mount {
	byDestination := map[string]specs.Mount{}
	put := func(m specs.Mount) { byDestination[m.Destination] = m }
	for _, m := range defaultMounts(readonly, t.confined() && !t.needs().sys) {
		put(m)
	}
	for i, v := range or(t.c.Tmpfs, t.label.Tmpfs, nil) {
		destination, options, colon := strings.Cut(v, ":")
		if strings.Contains(options, ":") || destination == "" {
			t.faults.Add(t.fault("tmpfs", i, "tmpfs %q", v).Wants("DESTINATION or DESTINATION:OPTION,OPTION"))
			continue
		}
		m := specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs"}
		if options != "" || colon && t.asLinuxKit() {
			m.Options = strings.Split(options, ",")
		}
		put(m)
	}
	t.eachBind(func(b bind) { put(b.mount()) })
	for i, m := range or(t.c.Mounts, t.label.Mounts, nil) {
		if full, ok := t.completeMount(i, m); ok {
			put(full)
		}
	}
	return slices.SortedFunc(maps.Values(byDestination), func(a, b specs.Mount) int { return strings.Compare(a.Destination, b.Destination) })
}

// kernelMounts are file systems that LinuxKit knows by their source's name,
// and where they belong.
var kernelMounts = map[string]string{
	"proc": "/proc", "devpts": "/dev/pts", "sysfs": "/sys", "cgroup": "/sys/fs/cgroup", "mqueue": "/dev/mqueue",
}

// completeMount fills in what a mount leaves out.
func (t *translator) completeMount(i int, m yml.Mount) (specs.Mount, bool) {
	out := m.Spec(t.asLinuxKit())
	if _, known := kernelMounts[out.Source]; known && out.Type == "" {
		out.Type = out.Source
	}
	if out.Type == "" && out.Destination == "/dev" {
		out.Type = "tmpfs"
	}
	if out.Type == "" {
		t.faults.Add(t.fault("mounts", i, "mount on %q has no type", out.Destination).Wants("a file system such as bind, tmpfs, proc"))
		return out, false
	}
	out.Source = cmp.Or(out.Source, out.Type)
	out.Destination = cmp.Or(out.Destination, kernelMounts[out.Type])
	if out.Destination == "" {
		t.faults.Add(t.fault("mounts", i, "mount of type %s has no destination", out.Type).Wants("the path to mount it on"))
		return out, false
	}
	t.checkVolumeMount(i, out)
	return t.volumeMount(out), true
}

// volumeMount gives a bind of a volume its path. LinuxKit's tool computes the
// path and then loses it, so its bundles name the volume itself.
func (t *translator) volumeMount(m specs.Mount) specs.Mount {
	if m.Type == "bind" && t.volumes[m.Source] != nil && !t.asLinuxKit() {
		m.Source = VolumePath(m.Source, "merged")
	}
	return m
}

func (t *translator) checkVolumeMount(i int, m specs.Mount) {
	if m.Type != "bind" || strings.HasPrefix(m.Source, "/") {
		return
	}
	v := t.volumes[m.Source]
	switch {
	case v == nil:
		t.faults.Add(t.unknownVolume("mounts", i, m.Source))
	case v.Readonly && !bindsReadonly(m.Options):
		t.faults.Add(t.fault("mounts", i, "volume %q is read-only", m.Source).Wants("the option ro"))
	}
}

// bindsReadonly tells whether the first word on it is ro.
func bindsReadonly(options []string) bool {
	i := slices.IndexFunc(options, func(o string) bool { return o == "ro" || o == "rw" })
	return i >= 0 && options[i] == "ro"
}

func (t *translator) unknownVolume(key string, i int, name string) yml.Fault {
	return t.fault(key, i, "no volume is named %q", name).Near(name, slices.Sorted(maps.Keys(t.volumes))).
		Wants("an absolute path, or a volume of the volumes section")
}

// bind is an entry of binds.
type bind struct {
	source, destination string
	options             []string
	key                 string // where it stands in the YAML
	index               int
}

func (b bind) mount() specs.Mount {
	options := []string{"rw", "rbind", "rshared"}
	if b.options != nil {
		options = append(append([]string{}, b.options...), "rbind")
	}
	return specs.Mount{Destination: b.destination, Type: "bind", Source: b.source, Options: options}
}

// eachBind parses the binds; a volume's name becomes its path.
func (t *translator) eachBind(use func(bind)) {
	list := added(t.c.Binds, t.c.BindsAdd, t.label.Binds)
	fromLabel := 0
	if t.c.Binds == nil && t.label.Binds != nil {
		fromLabel = len(*t.label.Binds)
	}
	for i, text := range list {
		b := bind{key: "binds", index: i}
		if t.c.Binds == nil {
			b.key, b.index = "binds.add", i-fromLabel
		}
		if b.index < 0 {
			b.key, b.index = "label", -1
		}
		if t.parseBind(text, &b) {
			use(b)
		}
	}
}

func (t *translator) parseBind(text string, b *bind) bool {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		t.faults.Add(t.fault(b.key, b.index, "bind %q", text).Wants("SOURCE:DESTINATION or SOURCE:DESTINATION:OPTION,OPTION"))
		return false
	}
	b.source, b.destination = parts[0], parts[1]
	if len(parts) == 3 {
		b.options = strings.Split(parts[2], ",")
	}
	if strings.HasPrefix(b.source, "/") {
		return true
	}
	v := t.volumes[b.source]
	switch {
	case v == nil && b.key == "label":
		// LinuxKit's tool looks for volumes in the YAML's own binds only.
		t.faults.Add(t.unknownVolume(b.key, b.index, b.source).Warns())
		return true
	case v == nil:
		t.faults.Add(t.unknownVolume(b.key, b.index, b.source))
		return false
	case v.Readonly && (len(parts) < 3 || parts[2] != "ro"):
		t.faults.Add(t.fault(b.key, b.index, "volume %q is read-only", b.source).Wants("%s:%s:ro", b.source, b.destination))
		return false
	}
	b.source = VolumePath(b.source, "merged")
	return true
}
