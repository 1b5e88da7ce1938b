package check

import (
	"path"
	"slices"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// scriptDirs are run by init, file by file.
var scriptDirs = []string{"etc/init.d", "etc/shutdown.d"}

// scriptPath is the PATH that init gives to scripts.
const scriptPath = "/sbin:/usr/sbin:/bin:/usr/bin"

// KnowsInit tells whether all images in init were read.
func (k *Checker) KnowsInit() bool {
	return !slices.ContainsFunc(k.config.Init, func(name string) bool { return k.images.Get(name) == nil || k.broken[name] })
}

// Scripts looks whether init can start what its directories hold. The root is what is
// known of the machine's, places are where the YAML names what it is made of.
func (k *Checker) Scripts(root *tree.Tree, places map[string]yml.Position) {
	hidden := func(string) bool { return false }
	if !k.KnowsInit() {
		// What it brings nobody knows; names with a carriage return it has none.
		hidden = func(name string) bool { return shown(name) == name }
	}
	for _, dir := range scriptDirs {
		d := root.Resolve(dir)
		if d == nil {
			continue
		}
		for _, entry := range d.Children() {
			if entry.Origin != nil {
				k.checkInitScript(root, path.Join(dir, entry.Name), places[entry.Origin.Location], hidden)
			}
		}
	}
}

// checkInitScript leaves out what init leaves out: what is no regular file when all
// links are followed.
func (k *Checker) checkInitScript(root *tree.Tree, name string, at yml.Position, hidden func(string) bool) {
	n := root.Resolve(name)
	if n == nil || n.Inode == nil {
		return
	}
	warn := func(format string, args ...any) { k.Faults.Add(at.At(format, args...).Warns()) }
	if n.Mode&0o111 == 0 {
		warn("/%s is not executable (mode %#o), and init is to run it", name, n.Mode)
		return
	}
	s := starter{root: root, arch: k.platform.Architecture, warn: warn, path: scriptPath, hidden: hidden}
	s.check(n)
}
