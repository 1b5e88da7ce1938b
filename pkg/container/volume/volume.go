// Package volume makes ready the volumes of an image before the first
// container: an overlay of what came with the image and a tmpfs on top. A
// volume without a directory for the tmpfs is read-only.
package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
)

// Directories of a volume beside those that bundles have as well.
const mergedDir = "merged"

// Setup makes all volumes below dir ready. One that fails does not keep the
// others from it.
func Setup(dir string) error {
	names, err := bundle.List(dir)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range names {
		if err := setup(filepath.Join(dir, name)); err != nil {
			faults = append(faults, fmt.Errorf("volume %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// Plan lists the mounts of a volume and the directories to make before the last.
func Plan(dir string, writable bool) (mounts []mount.Mount, directories []string) {
	lower, merged := filepath.Join(dir, bundle.LowerDir), filepath.Join(dir, mergedDir)
	if !writable {
		return []mount.Mount{
			{Source: lower, Target: merged, Flags: unix.MS_BIND},
			{Target: merged, Flags: unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY},
		}, nil
	}
	tmp := filepath.Join(dir, bundle.TmpDir)
	upper, work := filepath.Join(tmp, bundle.UpperDir), filepath.Join(tmp, bundle.WorkDir)
	return []mount.Mount{
		{Source: "tmpfs", Target: tmp, Type: "tmpfs"},
		{Source: "overlay", Target: merged, Type: "overlay",
			Data: []string{"lowerdir=" + lower, "upperdir=" + upper, "workdir=" + work}},
	}, []string{upper, work}
}

func setup(dir string) error {
	info, err := os.Lstat(filepath.Join(dir, bundle.TmpDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mounts, directories := Plan(dir, err == nil && info.IsDir())
	var done []string
	for i, m := range mounts {
		var err error
		if i == len(mounts)-1 {
			err = makeAll(directories)
		}
		if err == nil {
			err = m.Do()
		}
		if err != nil {
			return errors.Join(err, undo(done))
		}
		if m.IsNew() {
			done = append(done, m.Target)
		}
	}
	return nil
}

func makeAll(directories []string) error {
	for _, f := range directories {
		if err := os.MkdirAll(f, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func undo(done []string) error {
	var faults []error
	for _, target := range slices.Backward(done) {
		faults = append(faults, mount.Unmount(target, 0))
	}
	return errors.Join(faults...)
}
