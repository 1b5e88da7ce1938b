package spec

import (
	"cmp"

	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// or gives the value of the YAML if it has one, else the label's, else the
// default. A value that is there but empty counts.
func or[T any](yaml, label *T, fallback T) T {
	switch {
	case yaml != nil:
		return *yaml
	case label != nil:
		return *label
	}
	return fallback
}

// added is a label's list with the YAML's .add list behind it, unless the YAML
// replaces the list altogether.
func added(yaml, add, label *[]string) []string {
	if yaml != nil {
		return *yaml
	}
	var list []string
	if label != nil {
		list = append(list, *label...)
	}
	if add != nil {
		list = append(list, *add...)
	}
	return list
}

// mergeRuntime merges the runtime sections field by field; the namespaces to
// bind are fields of their own.
func mergeRuntime(y, l *yml.Runtime, asLinuxKit bool) bundle.Runtime {
	y, l = cmp.Or(y, &yml.Runtime{}), cmp.Or(l, &yml.Runtime{})
	r := bundle.Runtime{
		Cgroups:    or(y.Cgroups, l.Cgroups, nil),
		Mkdir:      or(y.Mkdir, l.Mkdir, nil),
		Interfaces: or(y.Interfaces, l.Interfaces, nil),
		Namespace:  or(y.Namespace, l.Namespace, ""),
		BindNS: bundle.BindNS{
			Cgroup: or(y.BindNS.Cgroup, l.BindNS.Cgroup, ""),
			Ipc:    or(y.BindNS.Ipc, l.BindNS.Ipc, ""),
			Mnt:    or(y.BindNS.Mnt, l.BindNS.Mnt, ""),
			Net:    or(y.BindNS.Net, l.BindNS.Net, ""),
			Pid:    or(y.BindNS.Pid, l.BindNS.Pid, ""),
			User:   or(y.BindNS.User, l.BindNS.User, ""),
			Uts:    or(y.BindNS.Uts, l.BindNS.Uts, ""),
		},
	}
	for _, m := range or(y.Mounts, l.Mounts, nil) {
		r.Mounts = append(r.Mounts, m.Spec(asLinuxKit))
	}
	return r
}
