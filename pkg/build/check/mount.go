package check

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
	"slipway/pkg/machine"
)

// mountPosition is the entry of the YAML that asks for a mount; the image if its
// label does, or the builder itself.
func mountPosition(c *spec.Container, m specs.Mount) yml.Position {
	for _, key := range []string{"binds", "binds.add", "tmpfs"} {
		for i, text := range texts(c, key) {
			parts := strings.Split(text, ":")
			if key == "tmpfs" && parts[0] == m.Destination || key != "tmpfs" && len(parts) > 1 && parts[1] == m.Destination {
				return c.At.Child(key).Item(i)
			}
		}
	}
	if c.Mounts != nil {
		for i, x := range *c.Mounts {
			if x.Destination == m.Destination {
				return c.At.Child("mounts").Item(i)
			}
		}
	}
	return c.At.Child("image")
}

func texts(c *spec.Container, key string) []string {
	list := map[string]*[]string{"binds": c.Binds, "binds.add": c.BindsAdd, "tmpfs": c.Tmpfs}[key]
	if list == nil {
		return nil
	}
	return *list
}

// checkTargets finds mounts on what a read-only root does not have.
func (k *Checker) checkTargets(c *spec.Container) {
	root := k.root(c)
	if root == nil || !c.Spec.Root.Readonly {
		return
	}
	for _, m := range c.Spec.Mounts {
		if c.Covers(m.Destination) || provided[m.Destination] || root.Resolve(m.Destination) != nil {
			continue
		}
		k.Faults.Add(mountPosition(c, m).At("the image has no %s to mount on, and being read-only none can be made", m.Destination).
			Wants("a directory or file of that name in the image, or readonly: false").Warns())
	}
}

// checkSources finds binds of what will not be in the machine.
func (k *Checker) checkSources(c *spec.Container) {
	for _, m := range c.Spec.Mounts {
		if m.Type != "bind" || !strings.HasPrefix(m.Source, "/") || len(k.config.Init) == 0 {
			continue
		}
		if p := spec.MachinePath(m.Source); p == bundle.RuntimeProgram("runc") && k.inRoot(bundle.RuntimeProgram("crun")) {
			continue // linkRunc
		} else if !k.inRoot(p) && !k.madeBefore(c, p) {
			fault := mountPosition(c, m).At("nothing makes %s in the machine before this container", m.Source)
			if f := k.missing(p); f != nil {
				k.Faults.Add(fault.Wants("%s, which %s would bring and which is not there, or runtime: mkdir: [%s]", f.Source, f.At.Path(), m.Source).Warns())
				continue
			}
			k.Faults.Add(fault.Wants("runtime: mkdir: [%s] if it is a directory, or an entry in files", m.Source).Warns())
		}
	}
}

// checkVolumes finds volumes that no container sees: a misspelt path, or what was left
// over. A container whose image is not there may bind it by its label.
func (k *Checker) checkVolumes() {
	for _, v := range k.config.Volumes {
		if !slices.ContainsFunc(k.containers, func(c *spec.Container) bool { return c.Unread || sees(c, v) }) {
			k.Faults.Add(v.At.Child("name").At("no container binds the volume %q", v.Name).
				Wants(`binds: ["%s:/a/path"] in one that needs it`, v.Name).Warns())
		}
	}
}

// sees tells whether a container mounts a volume, what is in it, or what it lies in.
func sees(c *spec.Container, v *yml.Volume) bool {
	dir := spec.VolumePath(v.Name, "")
	return slices.ContainsFunc(slices.Concat(c.Spec.Mounts, c.RuntimeJSON.Mounts), func(m specs.Mount) bool {
		source := spec.MachinePath(m.Source)
		bind := m.Type == "bind" && (spec.Within(source, path.Clean(dir)) || spec.Within(path.Clean(dir), source))
		return bind || m.Source == v.Name || slices.ContainsFunc(m.Options, func(o string) bool { return strings.Contains(o, dir) })
	})
}

// atBoot are what the boot makes, and the sockets of what may run in it.
var atBoot = []string{
	"/", "/dev", "/proc", "/run", "/sys", "/tmp", "/var", "/var/cache", "/var/empty", "/var/lib", "/var/local",
	"/var/lock", "/var/log", "/var/opt", "/var/spool", "/var/tmp", "/run/resolvconf", "/run/resolvconf/resolv.conf",
	"/run/linuxkit-external-logging.sock", "/run/memlogdq.sock", "/var/lib/containerd",
}

// below are directories of whose content the builder knows nothing.
var below = []string{"/dev", "/proc", "/sys", "/containers", "/boot", "/lib/modules", "/lib/firmware", "/run/containerd", "/run/log", "/run/runc", machine.Run}

// inRoot tells whether a path is there when the first container starts.
func (k *Checker) inRoot(p string) bool {
	if slices.Contains(atBoot, p) || slices.ContainsFunc(below, func(dir string) bool { return spec.Within(p, dir) }) || provided[p] {
		return true
	}
	top := "/" + strings.Split(p, "/")[1]
	if slices.Contains([]string{"/run", "/tmp", "/var"}, top) {
		return false // what the images have there is hidden
	}
	for i, name := range k.config.Init {
		root := k.Tree(name, k.config.InitAt[i])
		if root == nil || root.Lookup(p) != nil {
			return true
		}
	}
	return slices.ContainsFunc(k.config.Files, func(f *yml.File) bool { return spec.Within(path.Join("/", f.Path), p) && !f.LeftOut() })
}

// missing is the entry of files that would make a path if its source were there.
func (k *Checker) missing(p string) *yml.File {
	i := slices.IndexFunc(k.config.Files, func(f *yml.File) bool { return spec.Within(path.Join("/", f.Path), p) && f.LeftOut() })
	if i < 0 {
		return nil
	}
	return k.config.Files[i]
}

// madeBefore tells whether a container that runs earlier, or the preparation of
// this one, makes a path or could.
func (k *Checker) madeBefore(c *spec.Container, p string) bool {
	return slices.ContainsFunc(k.containers, func(other *spec.Container) bool {
		if other != c && !before(other, c) {
			return false
		}
		if other.Unread {
			return true
		}
		for _, dir := range other.RuntimeJSON.Mkdir {
			if spec.Within(spec.MachinePath(dir), p) {
				return true
			}
		}
		for _, m := range other.RuntimeJSON.Mounts {
			if spec.Within(p, spec.MachinePath(m.Destination)) {
				return true
			}
		}
		for _, b := range other.RuntimeJSON.BindNS.Paths() {
			if spec.Within(spec.MachinePath(b.Path), p) {
				return true
			}
		}
		return other != c && mayWrite(other, p)
	})
}

// mayWrite tells whether a container has a directory above a path to write to.
func mayWrite(c *spec.Container, p string) bool {
	return slices.ContainsFunc(c.Spec.Mounts, func(m specs.Mount) bool {
		return m.Type == "bind" && !slices.Contains(m.Options, "ro") && spec.Within(p, spec.MachinePath(m.Source))
	})
}

// before tells whether one container is started before another can need it.
func before(a, b *spec.Container) bool {
	order := map[bundle.Section]int{bundle.Onboot: 0, bundle.Services: 1, bundle.Onshutdown: 2}
	if a.Section != b.Section {
		return order[a.Section] < order[b.Section]
	}
	return a != b && (a.Section == bundle.Services || a.Index < b.Index)
}

// provided are what every image gets from the builder.
var provided = map[string]bool{
	"/": true, "/dev": true, "/dev/pts": true, "/dev/shm": true, "/etc": true, "/etc/hosts": true,
	"/etc/mtab": true, "/etc/resolv.conf": true, "/proc": true, "/sys": true,
}
