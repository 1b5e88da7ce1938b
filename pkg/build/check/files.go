package check

import (
	"path"
	"strings"

	"slipway/pkg/build/input"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// hidden are directories that the boot mounts a tmpfs on.
var hidden = []string{"dev", "proc", "run", "sys", "tmp", "var"}

// checkFiles finds owners that do not exist, and files that nobody will see.
func (k *Checker) checkFiles() {
	numbers := spec.ContainerIDs(k.config)
	for _, f := range k.config.Files {
		for key, id := range map[string]*yml.ID{"uid": f.UID, "gid": f.GID} {
			if _, ok := numbers.Number(id); !ok {
				k.Faults.Add(f.At.Child(key).At("no container is named %q", id.Name).Near(id.Name, numbers.Names()).
					Wants("a number, or the name of a container"))
			}
		}
		if n := hostname(f); n > yml.MaxHostname {
			k.Faults.Add(f.At.Child("path").At("a host name of %d bytes", n).Wants("%d at most: Linux takes no longer one", yml.MaxHostname).Warns())
		}
		top, _, _ := strings.Cut(strings.TrimLeft(f.Path, "/"), "/")
		switch {
		case top == "boot":
			k.Faults.Add(f.At.Child("path").At("what lies in /boot is left out of the machine, but for the kernel").Wants("a path elsewhere").Warns())
		case spec.Within(path.Clean("/"+f.Path), bundle.Root):
			k.Faults.Add(f.At.Child("path").At("%s is where the containers lie, as the builder makes them", bundle.Root).
				Wants("the keys of the container, or a path elsewhere").Warns())
		}
		for _, dir := range hidden {
			if top == dir {
				k.Faults.Add(f.At.Child("path").At("the boot mounts an empty file system on /%s, which hides %s", dir, f.Path).
					Wants("a path elsewhere, or runtime: mkdir: of a container").Warns())
			}
		}
	}
}

// hostname is how long the machine's name is that a file gives; 0 if it is another.
func hostname(f *yml.File) int {
	if path.Clean("/"+f.Path) != "/etc/hostname" {
		return 0
	}
	text := ""
	if f.Contents != nil {
		text = *f.Contents
	} else if data, err := input.Read(f.SourcePath(), yml.MaxSource); err == nil {
		text = string(data)
	}
	return len(strings.TrimSpace(text))
}
