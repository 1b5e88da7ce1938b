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

// OnshutdownCgroupParent is the same for onshutdown containers. It lies outside of
// CgroupParent, so that they run when all that containers may have is taken.
const OnshutdownCgroupParent = "/onshutdown"

// reservedCgroups are the machine's own, by the first word of their path.
var reservedCgroups = []string{
	strings.TrimPrefix(CgroupParent, "/"), strings.TrimPrefix(OnshutdownCgroupParent, "/"), "init", "slipway",
}

// maxFileName is NAME_MAX, the longest name of a directory in bytes.
const maxFileName = 255

// CgroupsPathWords is what CheckCgroupsPath takes.
const CgroupsPathWords = "the path of a cgroup of its own, such as /pods/web"

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
	for w := range strings.SplitSeq(p, "/") {
		switch {
		case w == "..":
			return fmt.Errorf("cgroup %q leads upwards", p)
		case len(w) > maxFileName:
			return fmt.Errorf("cgroup %.40q... has a name of %d bytes, more than %d", w, len(w), maxFileName)
		case strings.ContainsFunc(w, unprintable):
			return fmt.Errorf("cgroup %q has a control character in it", p)
		}
	}
	clean := strings.TrimPrefix(path.Clean("/"+p), "/")
	if clean == "" {
		return fmt.Errorf("cgroup %q is the root, which holds the whole machine", p)
	}
	if top, _, _ := strings.Cut(clean, "/"); slices.Contains(reservedCgroups, top) {
		return fmt.Errorf("cgroup %q is the machine's own", p)
	}
	return nil
}

// CheckCgroup is CheckCgroupsPath for a cgroup that is to be made for others,
// which has to have a name.
func CheckCgroup(p string) error {
	if p == "" {
		return errors.New("a cgroup without a name")
	}
	return CheckCgroupsPath(p)
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }

// checkCgroups refuses a bundle's cgroups.
func checkCgroups(b *Bundle) error {
	if b.Spec.Linux != nil {
		if err := CheckCgroupsPath(b.Spec.Linux.CgroupsPath); err != nil {
			return fmt.Errorf("%s: linux.cgroupsPath: %w; want %s", b.Path(ConfigFile), err, CgroupsPathWords)
		}
	}
	var faults []error
	for _, p := range b.Runtime.Cgroups {
		if err := CheckCgroup(p); err != nil {
			faults = append(faults, fmt.Errorf("%s: cgroups: %w; want %s", b.Path(RuntimeFile), err, CgroupsPathWords))
		}
	}
	return errors.Join(faults...)
}
