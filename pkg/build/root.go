package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// layout puts the root file system together.
type layout struct {
	ctx context.Context
	*Builder
	config     *yml.Config
	images     *images
	containers []*spec.Container
	root       *tree.Tree

	// unpacked is where an image's files lie, by the image's key: an image that
	// several containers use is there once.
	unpacked map[string]string
	// warnings are what is found only when all is put together.
	warnings yml.Faults
	// fileDirs are directories that the files section has made or named.
	fileDirs map[string]bool
	// fileEntries are the entries of the files section by the path in the image.
	fileEntries map[string]*yml.File
}

// make carries out the parts in LinuxKit's order: a later one wins. Without images it
// lays the files alone.
func (l *layout) make() error {
	l.unpacked = map[string]string{}
	for _, part := range []struct {
		name string
		make func() error
	}{
		{"kernel", l.addKernel},
		{"init", l.addInit},
		{"volumes", l.addVolumes},
		{"containers", l.addContainers},
		{"files", l.addFiles},
	} {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if l.Finder == nil && part.name != "files" {
			continue
		}
		if err := part.make(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// faults puts all together, and gives what is found only then. The error is for what
// is no fault of the configuration.
func (l *layout) faults() (yml.Faults, error) {
	var wrong yml.Faults
	if err := l.make(); err != nil && !errors.As(err, &wrong) {
		return nil, err
	}
	return append(l.warnings, wrong...), nil
}

func (l *layout) putFile(path string, content *tree.Inode, origin *tree.Origin) error {
	return l.root.Put(path, tree.Entry{Type: tar.TypeReg, Mode: 0o644, ModTime: tree.Epoch, Inode: content, Origin: origin})
}

// sourceName is what the tar's records call an image: LinuxKit's tool writes the
// name out.
func (l *layout) sourceName(image string) string {
	if l.Hardening == spec.HardeningNone {
		return oci.Expand(image)
	}
	return image
}

// apkDatabase lists Alpine's packages; every init image has a part of it.
const apkDatabase = "lib/apk/db/installed"

func (l *layout) addInit() error {
	var packages []string
	for i, name := range l.config.Init {
		image, err := l.images.Tree(l.ctx, name)
		if err != nil {
			return err
		}
		if n := image.Lookup("boot"); n != nil && n.Type == tar.TypeSymlink && l.config.Kernel.Image != "" {
			return fmt.Errorf("image %s: /boot is a link to %q, and the kernel lies there", name, n.Link)
		}
		origin := &tree.Origin{Image: l.sourceName(name), Location: fmt.Sprintf("init[%d]", i)}
		if err := l.graft("", image, origin, resolvLink); err != nil {
			return err
		}
		text, err := readPackages(image)
		if err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
		if text != "" {
			packages = append(packages, text+"\n\n")
		}
	}
	if err := l.linkRunc(); err != nil || len(packages) < 2 {
		return err
	}
	return l.putFile(apkDatabase, tree.Text(strings.Join(packages, "")), &tree.Origin{Location: "init"})
}

// linkRunc gives a machine that has crun alone the name runc as well, which packages
// bind-mount for their users, LinuxKit's getty among them.
func (l *layout) linkRunc() error {
	runc, crun := bundle.RuntimeProgram("runc"), bundle.RuntimeProgram("crun")
	if l.Hardening == spec.HardeningNone || l.root.Lookup(runc) != nil || l.root.Lookup(crun) == nil {
		return nil
	}
	return l.root.Put(runc, tree.Entry{Type: tar.TypeSymlink, Mode: 0o777, ModTime: tree.Epoch, Link: path.Base(crun), Origin: &tree.Origin{Location: "init"}})
}

// maxPackages bounds the package list, the one file that is read to memory.
const maxPackages = 64 << 20

func readPackages(image *tree.Tree) (string, error) {
	n := image.Resolve(apkDatabase)
	if n == nil || n.Inode == nil {
		return "", nil
	}
	if n.Inode.Size > maxPackages {
		return "", fmt.Errorf("%s: %d bytes are too many", apkDatabase, n.Inode.Size)
	}
	data, err := io.ReadAll(n.Inode.Open())
	return string(data), err
}
