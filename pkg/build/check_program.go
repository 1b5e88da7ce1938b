package build

import (
	"path"
	"strings"

	"slipway/pkg/build/tree"
)

// checkProgram looks for the program as the OCI runtime will, and for what the
// kernel needs to start it: most often "no such file or directory" at boot
// means the interpreter and not the program.
func (k *checker) checkProgram(c *container) {
	root, args := k.root(c), c.spec.Process.Args
	if root == nil || len(args) == 0 || args[0] == "" {
		return
	}
	found, hidden := findProgram(c, root, args[0])
	switch {
	case hidden:
	case found == nil:
		k.faults.Add(k.warn(c, "command", "the image has no program %q", args[0]))
	case found.IsDir():
		k.faults.Add(k.warn(c, "command", "%q is a folder in the image", args[0]))
	case found.Inode != nil && found.Mode&0o111 == 0:
		k.faults.Add(k.warn(c, "command", "%q is not executable in the image (mode %#o)", args[0], found.Mode))
	case found.Inode != nil:
		start := starter{root: root, arch: k.images.platform.Architecture,
			warn:   func(format string, args ...any) { k.faults.Add(k.warn(c, "command", format, args...)) },
			hidden: func(p string) bool { return covered(c, p) },
			path:   searchPath(c.spec.Process.Env)}
		start.check(found)
	}
	if cwd := c.spec.Process.Cwd; c.spec.Root.Readonly && !covered(c, cwd) && !mountedOn(c, cwd) && root.Resolve(cwd) == nil {
		k.faults.Add(k.warn(c, "cwd", "the image has no folder %s, and being read-only none can be made", cwd))
	}
}

// findProgram gives the program's place, or says that a mount may hide it.
func findProgram(c *container, root *tree.Tree, program string) (n *tree.Node, hidden bool) {
	candidates := []string{path.Join(c.spec.Process.Cwd, program)}
	switch {
	case strings.HasPrefix(program, "/"):
		candidates = []string{program}
	case !strings.Contains(program, "/"):
		candidates = nil
		for _, dir := range strings.Split(searchPath(c.spec.Process.Env), ":") {
			candidates = append(candidates, path.Join("/", dir, program))
		}
	}
	for _, p := range candidates {
		if covered(c, p) {
			return nil, true
		}
		if n := root.Resolve(p); n != nil {
			return n, false
		}
	}
	return nil, false
}

func mountedOn(c *container, p string) bool {
	for _, m := range c.spec.Mounts {
		if m.Destination == p {
			return true
		}
	}
	return false
}

// defaultPath is what the OCI runtime searches if PATH is not set.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func searchPath(env []string) string {
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			return p
		}
	}
	return defaultPath
}
