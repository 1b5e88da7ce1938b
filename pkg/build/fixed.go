package build

import (
	"archive/tar"
	"fmt"
	"path"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
)

// resolvConf says what /etc/resolv.conf of an image becomes.
type resolvConf bool

const (
	resolvText resolvConf = false // a file of one comment: containers bind their own
	resolvLink resolvConf = true  // a link to what dhcp writes: the root and volumes
)

// dropped are files of container engines that have no place in an image.
var dropped = []string{".dockerenv", "Dockerfile", "dev/console", "dev/pts", "dev/shm", "etc/hostname"}

// hostsText has LinuxKit's white space, so that the bytes are the same.
const hostsText = `127.0.0.1       localhost
::1     localhost ip6-localhost ip6-loopback
fe00::0 ip6-localnet
ff00::0 ip6-mcastprefix
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`

const resolvComment = "# no resolver is configured\n"

// fixed is what every image gets, whatever it had there.
func fixed(resolv resolvConf) []struct {
	path  string
	entry tree.Entry
} {
	dir := tree.Entry{Type: tar.TypeDir, Mode: 0o755}
	file := func(text string) tree.Entry {
		return tree.Entry{Type: tar.TypeReg, Mode: 0o644, Inode: tree.Text(text)}
	}
	link := func(mode int64, target string) tree.Entry {
		return tree.Entry{Type: tar.TypeSymlink, Mode: mode, Link: target}
	}
	resolver := file(resolvComment)
	if resolv == resolvLink {
		resolver = link(0o644, "/run/resolvconf/resolv.conf")
	}
	return []struct {
		path  string
		entry tree.Entry
	}{
		{"dev", dir}, {"dev/pts", dir}, {"dev/shm", dir}, {"etc", dir},
		{"etc/hosts", file(hostsText)}, {"etc/mtab", link(0o755, "/proc/mounts")}, {"etc/resolv.conf", resolver},
		{"proc", dir}, {"sys", dir},
	}
}

// graft lays an image over a directory of the root, with the files and directories
// that LinuxKit gives every image.
func (l *layout) graft(dir string, image *tree.Tree, origin *tree.Origin, resolv resolvConf) error {
	for _, path := range dropped {
		image.Remove(path)
	}
	list := fixed(resolv)
	for _, f := range list {
		if err := prepare(image, f.path, f.entry); err != nil {
			return fmt.Errorf("image %s: %w", oci.FullName(origin.Image), err)
		}
	}
	if err := l.root.Graft(dir, image, origin); err != nil {
		return err
	}
	for _, f := range list {
		if f.path == "etc/mtab" && image.Lookup(f.path) != nil {
			continue // the one file of these that LinuxKit leaves as it is
		}
		if err := l.putFixed(dir, image, f.path, f.entry, origin); err != nil {
			return fmt.Errorf("image %s: %w", oci.FullName(origin.Image), err)
		}
	}
	return nil
}

// prepare makes what a link leads to that an image has in the place of a
// directory: in the image, as it could lead out of it anywhere else.
func prepare(image *tree.Tree, path string, e tree.Entry) error {
	n := image.Lookup(path)
	if e.Type != tar.TypeDir || n == nil || n.Type != tar.TypeSymlink || isDir(image.Resolve(path)) {
		return nil
	}
	e.ModTime = tree.Epoch
	return image.PutDir(path, e)
}

func isDir(n *tree.Node) bool { return n != nil && n.IsDir() }

// putFixed places what every image gets. A directory that the image has keeps its
// mode and owner; only its time is set.
func (l *layout) putFixed(dir string, image *tree.Tree, name string, e tree.Entry, origin *tree.Origin) error {
	if have := image.Resolve(name); e.Type == tar.TypeDir && isDir(have) {
		name, e = have.Path(), have.Entry
	} else if parent := image.Resolve(path.Dir(name)); isDir(parent) {
		name = path.Join(parent.Path(), path.Base(name))
	}
	e.ModTime, e.Origin = tree.Epoch, origin
	name = path.Join(dir, name)
	if e.Type == tar.TypeDir {
		return l.root.PutDir(name, e)
	}
	return l.root.Put(name, e)
}
