package build

import (
	"path"
	"strings"

	"slipway/pkg/build/tree"
	"slipway/pkg/bundle"
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
	case hidden, bare(args[0]) && searchPath(c.spec.Process.Env) == "": // which checkPath tells
	case found == nil:
		k.faults.Add(k.warn(c, "command", "the image has no program %q", args[0]))
	case found.IsDir():
		k.faults.Add(k.warn(c, "command", "%q is a directory in the image", args[0]))
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
		k.faults.Add(k.warn(c, "cwd", "the image has no directory %s, and being read-only none can be made", cwd))
	}
}

// findProgram gives the program's place, or says that a mount may hide it.
func findProgram(c *container, root *tree.Tree, program string) (n *tree.Node, hidden bool) {
	candidates := []string{path.Join(c.spec.Process.Cwd, program)}
	switch {
	case strings.HasPrefix(program, "/"):
		candidates = []string{program}
	case bare(program):
		candidates = nil
		for _, dir := range strings.Split(searchPath(c.spec.Process.Env), ":") {
			if strings.HasPrefix(dir, "/") { // the runtime runs nothing of another
				candidates = append(candidates, path.Join(dir, program))
			}
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

// usualPath is where Docker looks for programs if an image does not say.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// searchPath is PATH, of several the last; "" if there is none.
func searchPath(env []string) string {
	found := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			found = p
		}
	}
	return found
}

// checkPath finds programs by name alone where nothing says in which directories
// to look: the OCI runtime has no default.
func (k *checker) checkPath(c *container) {
	if searchPath(c.spec.Process.Env) != "" || c.unspecified("env") {
		return
	}
	const want = "PATH=" + usualPath + " in env, or the program's whole path"
	if args := c.spec.Process.Args; len(args) > 0 && bare(args[0]) && !c.unspecified("command") {
		key := "command"
		if c.At.Has("env") {
			key = "env"
		}
		k.faults.Add(k.warn(c, key, "no PATH in env, so program %q will not be found", args[0]).Wants(want))
	}
	for key, probe := range map[string]bundle.Probe{bundle.Prefix + "ready": c.policy.Ready, bundle.Prefix + "health": c.policy.Health} {
		if probe.Kind == bundle.ProbeExec && bare(probe.Command[0]) {
			k.faults.Add(annotation(c, key).At("no PATH in env, so program %q of %s will not be found", probe.Command[0], key).Wants(want).Warns())
		}
	}
}

// bare tells whether a program is given by its name alone.
func bare(program string) bool { return program != "" && !strings.Contains(program, "/") }
