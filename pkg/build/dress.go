package build

import (
	"archive/tar"
	"fmt"

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

const hostsText = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
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

// graft lays an image over a folder of the root, dressed as LinuxKit does.
func (l *layout) graft(dir string, image *tree.Tree, origin *tree.Origin, resolv resolvConf) error {
	for _, path := range dropped {
		image.Remove(path)
	}
	if err := l.root.Graft(dir, image, origin); err != nil {
		return err
	}
	for _, f := range fixed(resolv) {
		if f.path == "etc/mtab" && image.Lookup(f.path) != nil {
			continue // the one file of these that LinuxKit leaves as it is
		}
		f.entry.ModTime, f.entry.Origin = tree.Epoch, origin
		if err := l.root.Put(dir+"/"+f.path, f.entry); err != nil {
			return fmt.Errorf("image %s: %w", oci.FullName(origin.Image), err)
		}
	}
	return nil
}
