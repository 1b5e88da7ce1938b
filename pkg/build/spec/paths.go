package spec

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
)

// VolumePath is a directory of a volume in the machine.
func VolumePath(name, sub string) string { return bundle.Root + "/volumes/" + name + "/" + sub }

// Within tells whether a path is a directory or below it.
func Within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// MachinePath is a path of the machine's under the one name that it is compared by:
// /var/run is /run.
func MachinePath(p string) string {
	p = path.Clean(p)
	if p == "/var/run" {
		return "/run"
	}
	if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
		return "/run/" + rest
	}
	return p
}

// Covers tells whether a path lies below another mount of the container's, where it
// may exist or can be made.
func (c *Container) Covers(p string) bool {
	for _, m := range c.Spec.Mounts {
		if m.Destination != p && Within(p, m.Destination) {
			return true
		}
	}
	for _, m := range c.RuntimeJSON.Mounts {
		if !strings.HasPrefix(m.Destination, "/") {
			return true // something is mounted into the root at boot
		}
	}
	return slices.ContainsFunc(c.RuntimeJSON.Mkdir, func(dir string) bool {
		return !strings.HasPrefix(dir, "/") && MachinePath("/"+dir) == MachinePath(p)
	})
}

// HasMount tells whether the container has a mount on a path.
func (c *Container) HasMount(p string) bool {
	return slices.ContainsFunc(c.Spec.Mounts, func(m specs.Mount) bool { return m.Destination == p })
}
