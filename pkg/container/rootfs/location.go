package rootfs

import (
	"errors"
	"path"
	"slices"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"

	"golang.org/x/sys/unix"
)

// location is a path, split by how far its components are trusted.
//
//   - base is trusted: the system's own directories, where links are followed.
//   - strict lies below base and is laid out by the builder: a bundle's directories,
//     none of which is a link.
//   - rest lies below those, so its components come out of an image or were
//     written by a container: they are looked up as a process would whose root
//     is base/strict, and so cannot lead out of it.
type location struct {
	base, strict, rest string
}

func (p location) String() string { return path.Join(p.base, p.strict, p.rest) }

// locate splits a path of runtime.json. A relative one lies in the rootfs; an
// absolute one is the image author's and is followed like any other path of
// the system, unless it leads into a bundle.
func locate(b *bundle.Bundle, name string) location {
	if !path.IsAbs(name) {
		name = b.Path(bundle.RootfsDir, path.Clean("/"+name))
	}
	name = path.Clean(name)
	directories, depth := containersDir(b)
	if rel, ok := strings.CutPrefix(name, directories+"/"); ok {
		words := strings.Split(rel, "/")
		n := min(depth, len(words))
		return location{directories, path.Join(words[:n]...), path.Join(words[n:]...)}
	}
	return location{base: "/", rest: name}
}

// containersDir is the directory that holds all bundles that b can refer to, and
// how many directories below it the builder lays out: section, bundle, rootfs.
func containersDir(b *bundle.Bundle) (dir string, depth int) {
	section := path.Dir(b.Dir)
	known := []bundle.Section{bundle.Onboot, bundle.Onshutdown, bundle.Services}
	if slices.Contains(known, bundle.Section(path.Base(section))) {
		return path.Dir(section), 3
	}
	return section, 2
}

// open opens what is there, whatever it is.
func (p location) open() (*mount.Dir, error) {
	root, err := p.openRoot()
	if err != nil {
		return nil, err
	}
	d, err := root.InRoot(p.rest, 0)
	return d, errors.Join(err, root.Close())
}

// make opens what is there, or the directory that it makes there.
func (p location) make() (d *mount.Dir, made []string, err error) {
	root, err := p.openRoot()
	if errors.Is(err, unix.ENOENT) && p.strict != "" {
		root, made, err = p.makeRoot()
	}
	if err != nil {
		return nil, made, err
	}
	if d, err = root.InRoot(p.rest, 0); errors.Is(err, unix.ENOENT) {
		var deeper []string
		d, deeper, err = root.MkdirAll(p.rest, 0o755)
		made = append(made, deeper...)
	}
	return d, made, errors.Join(err, root.Close())
}

func (p location) openRoot() (*mount.Dir, error) {
	base, err := mount.OpenDir(p.base)
	if err != nil || p.strict == "" {
		return base, err
	}
	root, err := base.Strict(p.strict, 0)
	return root, errors.Join(err, base.Close())
}

// makeRoot makes the directories of the bundle that are missing. MkdirAll refuses
// links in what it makes, and Strict those in what was there.
func (p location) makeRoot() (*mount.Dir, []string, error) {
	base, err := mount.OpenDir(p.base)
	if err != nil {
		return nil, nil, err
	}
	leaf, made, err := base.MkdirAll(p.strict, 0o755)
	if err == nil {
		err = leaf.Close()
	}
	if err != nil {
		return nil, made, errors.Join(err, base.Close())
	}
	root, err := base.Strict(p.strict, 0)
	return root, made, errors.Join(err, base.Close())
}
