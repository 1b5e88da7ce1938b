package bundle

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// CgroupParent is the cgroup below which the guest puts the containers that name
// none themselves.
const CgroupParent = "/containers"

// reservedCgroups are the machine's own, by the first word of their path.
var reservedCgroups = []string{strings.TrimPrefix(CgroupParent, "/"), "init", "slipway"}

// maxFileName is NAME_MAX, the longest name of a directory in bytes.
const maxFileName = 255

// CheckCgroupsPath tells whether a container may be put into this cgroup
// (cgroupsPath), or one be made for it (runtime.cgroups). All of a container's
// cgroup is killed when it ends, so it must be one of its own: not the root,
// none of the machine's own and none above those. An empty path is fine: the
// guest chooses then. A relative path is taken as one from the root, and what
// systemd would take apart (SLICE:PREFIX:NAME) as any other name.
func CheckCgroupsPath(p string) error {
	if p == "" {
		return nil
	}
	const want = "want the path of a cgroup of its own, such as /pods/web"
	words := strings.Split(p, "/")
	for _, w := range words {
		switch {
		case w == "..":
			return fmt.Errorf("cgroup %q leads upwards; %s", p, want)
		case len(w) > maxFileName:
			return fmt.Errorf("cgroup %.40q... has a name of %d bytes; want %d at most", w, len(w), maxFileName)
		case strings.ContainsFunc(w, unprintable):
			return fmt.Errorf("cgroup %q has a control character in it; %s", p, want)
		}
	}
	clean := strings.TrimPrefix(path.Clean("/"+p), "/")
	if clean == "" {
		return fmt.Errorf("cgroup %q is the root, which holds the whole machine; %s", p, want)
	}
	if top, _, _ := strings.Cut(clean, "/"); slices.Contains(reservedCgroups, top) {
		return fmt.Errorf("cgroup %q is the machine's own; %s", p, want)
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }

// checkCgroups refuses a bundle's cgroups.
func checkCgroups(b *Bundle) error {
	if b.Spec.Linux != nil {
		if err := CheckCgroupsPath(b.Spec.Linux.CgroupsPath); err != nil {
			return fmt.Errorf("%s: linux.cgroupsPath: %w", b.Path(ConfigFile), err)
		}
	}
	var faults []error
	for _, p := range b.Runtime.Cgroups {
		err := CheckCgroupsPath(p)
		if p == "" {
			err = errors.New("an empty name")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: cgroups: %w", b.Path(RuntimeFile), err))
		}
	}
	return errors.Join(faults...)
}
