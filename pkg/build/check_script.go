package build

import (
	"path"
	"slices"

	"slipway/pkg/build/tree"
)

// scriptDirs are run by init, file by file.
var scriptDirs = []string{"etc/init.d", "etc/shutdown.d"}

// scriptPath is the PATH that init gives to scripts.
const scriptPath = "/sbin:/usr/sbin:/bin:/usr/bin"

// checkScripts looks whether init can start what these directories hold, whichever
// image it is from: an image may bring a script, and another one its interpreter.
// Where an image was not read, the scripts of the YAML's files are looked at.
func (k *checker) checkScripts(b *Builder) {
	l := &layout{ctx: k.ctx, Builder: b, config: k.config, images: k.images, root: tree.New()}
	hidden := func(string) bool { return false }
	if slices.ContainsFunc(k.config.Init, func(name string) bool { return k.images.Get(name) == nil || k.broken[name] }) {
		// What it brings nobody knows; names with a carriage return it has none.
		hidden = func(name string) bool { return shown(name) == name }
	} else if l.addInit() != nil {
		return // the build says why
	}
	if l.addFiles() != nil {
		return
	}
	for _, dir := range scriptDirs {
		d := l.root.Resolve(dir)
		if d == nil {
			continue
		}
		for _, entry := range d.Children() {
			k.checkInitScript(l.root, path.Join(dir, entry.Name), entry.Origin, hidden)
		}
	}
}

// checkInitScript leaves out what init leaves out: what is no regular file when all
// links are followed.
func (k *checker) checkInitScript(root *tree.Tree, name string, from *tree.Origin, hidden func(string) bool) {
	n := root.Resolve(name)
	if n == nil || n.Inode == nil || from == nil {
		return
	}
	at := places(k.config, k.containers)[from.Location]
	warn := func(format string, args ...any) { k.faults.Add(at.At(format, args...).Warns()) }
	if n.Mode&0o111 == 0 {
		warn("/%s is not executable (mode %#o), and init is to run it", name, n.Mode)
		return
	}
	s := starter{root: root, arch: k.images.platform.Architecture, warn: warn, path: scriptPath, hidden: hidden}
	s.check(n)
}
