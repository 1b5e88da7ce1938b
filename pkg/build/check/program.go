package check

import (
	"slipway/pkg/build/spec"
	"slipway/pkg/bundle"
)

// checkProgram looks for the program as the OCI runtime will, and for what the
// kernel needs to start it: most often "no such file or directory" at boot
// means the interpreter and not the program.
func (k *Checker) checkProgram(c *spec.Container) {
	root, args := k.root(c), c.Spec.Process.Args
	if root == nil || len(args) == 0 || args[0] == "" {
		return
	}
	found, hidden := c.FindProgram(root, args[0])
	switch {
	case hidden, spec.IsBare(args[0]) && spec.SearchPath(c.Spec.Process.Env) == "": // which checkPath tells
	case found == nil:
		k.Faults.Add(k.warn(c, "command", "the image has no program %q", args[0]))
	case found.IsDir():
		k.Faults.Add(k.warn(c, "command", "%q is a directory in the image", args[0]))
	case found.Inode != nil && found.Mode&0o111 == 0:
		k.Faults.Add(k.warn(c, "command", "%q is not executable in the image (mode %#o)", args[0], found.Mode))
	case found.Inode != nil:
		start := starter{root: root, arch: k.platform.Architecture,
			warn:   func(format string, args ...any) { k.Faults.Add(k.warn(c, "command", format, args...)) },
			hidden: func(p string) bool { return c.Covers(p) },
			path:   spec.SearchPath(c.Spec.Process.Env)}
		start.check(found)
	}
	if cwd := c.Spec.Process.Cwd; c.Spec.Root.Readonly && !c.Covers(cwd) && !c.HasMount(cwd) && root.Resolve(cwd) == nil {
		k.Faults.Add(k.warn(c, "cwd", "the image has no directory %s, and being read-only none can be made", cwd))
	}
}

// usualPath is where Docker looks for programs if an image does not say.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// checkPath finds programs by name alone where nothing says in which directories
// to look: the OCI runtime has no default.
func (k *Checker) checkPath(c *spec.Container) {
	if spec.SearchPath(c.Spec.Process.Env) != "" || c.Unspecified("env") {
		return
	}
	const want = "PATH=" + usualPath + " in env, or the program's whole path"
	if args := c.Spec.Process.Args; len(args) > 0 && spec.IsBare(args[0]) && !c.Unspecified("command") {
		key := "command"
		if c.At.Has("env") {
			key = "env"
		}
		k.Faults.Add(k.warn(c, key, "no PATH in env, so program %q will not be found", args[0]).Wants(want))
	}
	for key, probe := range map[string]bundle.Probe{bundle.Prefix + "ready": c.Policy.Ready, bundle.Prefix + "health": c.Policy.Health} {
		if probe.Kind == bundle.ProbeExec && spec.IsBare(probe.Command[0]) {
			k.Faults.Add(c.Annotation(key).At("no PATH in env, so program %q of %s will not be found", probe.Command[0], key).Wants(want).Warns())
		}
	}
}
