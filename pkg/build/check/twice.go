package check

import (
	"path"
	"strings"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

// twin is one of several things that have to differ: what it is called, and where
// it stands.
type twin struct {
	name string
	at   yml.Position
}

// checkTwice finds what the YAML says twice of one container, of which only one
// counts.
func (k *Checker) checkTwice(c *spec.Container) {
	for _, list := range []struct {
		what  string
		known []twin
	}{
		{"a mount on %s", mountTargets(c)},
		{"a mount before the container on %s", runtimeTargets(c)},
		{"device %s", devicePaths(c)},
		{"variable %s", listed(c.Env, c.At.Child("env"), func(v string) string { return cutBefore(v, "=") })},
		{"limit %s", listed(c.Rlimits, c.At.Child("rlimits"), limitName)},
		{"interface %s", interfaceNames(c)},
	} {
		first := map[string]yml.Position{}
		for _, x := range list.known {
			if other, ok := first[x.name]; ok && x.name != "" {
				k.Faults.Add(x.at.At(list.what+" again, first in %s", x.name, other.Path()).Wants("one of them").Warns())
				continue
			}
			first[x.name] = x.at
		}
	}
}

// mountTargets are what the YAML mounts on, where links are not followed. Those
// of the image's label are there to be replaced.
func mountTargets(c *spec.Container) []twin {
	var all []twin
	for _, key := range []string{"tmpfs", "binds", "binds.add"} {
		for i, text := range texts(c, key) {
			target := cutBefore(text, ":")
			if _, rest, ok := strings.Cut(text, ":"); ok && key != "tmpfs" {
				target = cutBefore(rest, ":")
			}
			all = append(all, twin{cleaned(target), c.At.Child(key).Item(i)})
		}
	}
	if c.Mounts != nil {
		for i, m := range *c.Mounts {
			all = append(all, twin{cleaned(m.Destination), c.At.Child("mounts").Item(i)})
		}
	}
	return all
}

// runtimeTargets leaves out what changes a mount that is there.
func runtimeTargets(c *spec.Container) []twin {
	if c.Runtime == nil || c.Runtime.Mounts == nil {
		return nil
	}
	var all []twin
	for i, m := range *c.Runtime.Mounts {
		if m.Source != "" {
			all = append(all, twin{cleaned(m.Destination), c.At.Child("runtime").Child("mounts").Item(i)})
		}
	}
	return all
}

func devicePaths(c *spec.Container) []twin {
	var all []twin
	if c.Devices != nil {
		for i, d := range *c.Devices {
			if d.Path != "all" {
				all = append(all, twin{cleaned(d.Path), c.At.Child("devices").Item(i)})
			}
		}
	}
	return all
}

func interfaceNames(c *spec.Container) []twin {
	var all []twin
	if c.Runtime != nil && c.Runtime.Interfaces != nil {
		for i, x := range *c.Runtime.Interfaces {
			all = append(all, twin{x.Name, c.At.Child("runtime").Child("interfaces").Item(i)})
		}
	}
	return all
}

func listed(list *[]string, at yml.Position, name func(string) string) []twin {
	var all []twin
	if list != nil {
		for i, text := range *list {
			all = append(all, twin{name(text), at.Item(i)})
		}
	}
	return all
}

func limitName(text string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(cutBefore(text, ","))), "RLIMIT_")
}

func cutBefore(text, end string) string {
	before, _, _ := strings.Cut(text, end)
	return before
}

// cleaned is a path as the kernel sees it; "" stays empty.
func cleaned(p string) string {
	if p == "" {
		return ""
	}
	return path.Join("/", p)
}
