package build

import (
	"path"

	"slipway/pkg/build/tree"
)

// scriptDirs are run by init, file by file.
var scriptDirs = []string{"etc/init.d", "etc/shutdown.d"}

// scriptPath is the PATH that init gives to scripts.
const scriptPath = "/sbin:/usr/sbin:/bin:/usr/bin"

// checkScripts looks whether init can start what these directories hold, whichever
// image it is from: an image may bring a script, and another one its interpreter.
func (k *checker) checkScripts(b *Builder) {
	for _, name := range k.config.Init {
		if k.images.get(name) == nil || k.broken[name] {
			return // what it would have brought nobody knows
		}
	}
	l := &layout{ctx: k.ctx, Builder: b, config: k.config, images: k.images, root: tree.New()}
	if l.addInit() != nil || l.addFiles() != nil {
		return // the build says why
	}
	for _, dir := range scriptDirs {
		d := l.root.Resolve(dir)
		if d == nil {
			continue
		}
		for _, entry := range d.Children() {
			k.checkInitScript(l.root, path.Join(dir, entry.Name), entry.Origin)
		}
	}
}

// checkInitScript leaves out what init leaves out: what is no regular file when all
// links are followed.
func (k *checker) checkInitScript(root *tree.Tree, name string, from *tree.Origin) {
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
	s := starter{root: root, arch: k.images.platform.Architecture, warn: warn, path: scriptPath,
		hidden: func(string) bool { return false }}
	s.check(n)
}
