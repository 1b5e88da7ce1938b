package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	media "slipway/pkg/build/disk"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/qemu"
)

// bootable finds the files of an image in one format, as slipway run does.
func (c *testCase) bootable(ctx context.Context, format string) (qemu.Boot, error) {
	image := filepath.Join(c.work, imageName)
	medium, ok := media.Find(format)
	switch {
	case format == "containerdisk":
		file, err := c.takeDisk(ctx, image+medium.Suffix)
		if err != nil {
			return qemu.Boot{}, err
		}
		return qemu.Resolve(file, qemu.AnyKind)
	case ok:
		return qemu.Resolve(image+medium.Suffix, qemu.AnyKind)
	}
	return qemu.Resolve(image, qemu.Kind(format))
}

// sameDisk tells whether a guest sees the same on two disks, in whatever formats they are.
func sameDisk(ctx context.Context, a, b qemu.Boot) bool {
	return a.Disk != "" && b.Disk != "" && a.EFI == b.EFI && exec.CommandContext(ctx, "qemu-img", "compare", "-q", a.Disk, b.Disk).Run() == nil
}

// kubevirtUser is what KubeVirt's QEMU runs as.
const kubevirtUser = 107

// takeDisk reads a container disk as a cluster does, an image whose only file
// below /disk is the disk, and puts that file beside it.
func (c *testCase) takeDisk(ctx context.Context, archive string) (string, error) {
	layout, err := oci.OpenSource(archive)
	if err != nil {
		return "", err
	}
	img, err := layout.Get(imageName, v1.Platform{OS: "linux", Architecture: c.want.Arch})
	if err != nil {
		return "", err
	}
	defer img.Close()
	content, err := img.Tree(ctx, tree.DefaultLimits)
	if err != nil {
		return "", err
	}
	directory := content.Lookup("disk")
	if directory == nil || content.Len() != 2 || len(directory.Children()) != 1 {
		return "", fmt.Errorf("%s: %d entries, want /disk and one file in it", archive, content.Len())
	}
	found := directory.Children()[0]
	if found.UID != kubevirtUser || found.GID != kubevirtUser || found.Mode&0o400 == 0 {
		return "", fmt.Errorf("%s: %s has owner %d:%d and mode %o: QEMU of user %d cannot read it", archive, found.Path(), found.UID, found.GID, found.Mode, kubevirtUser)
	}
	if !strings.HasSuffix(found.Name, ".qcow2") {
		return "", fmt.Errorf("%s: disk %s is no qcow2", archive, found.Name)
	}
	name := filepath.Join(c.work, "taken-efi.qcow2")
	file, err := os.Create(name)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, found.Inode.Open())
	return name, errors.Join(err, file.Close())
}
