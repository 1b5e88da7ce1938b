package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// On is the mount that a path lies on, as far as its name tells: the table is all
// that is asked, and no disk.
func On(table []Entry, path string) Entry {
	on := Entry{Target: "/"}
	for _, e := range table {
		if Below(path, e.Target) && len(e.Target) >= len(on.Target) {
			on = e
		}
	}
	return on
}

// InMemory tells whether what is on a mount is gone with the power for certain.
func (e Entry) InMemory() bool {
	return slices.Contains([]string{"tmpfs", "ramfs", "rootfs", "overlay", "squashfs"}, e.Type)
}

// Lasts tells whether a directory, or the one it would be made in, lies on
// something that is still there after the next boot, and can be written.
func Lasts(dir string) (bool, error) {
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		return Lasts(filepath.Dir(dir))
	}
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", dir, err)
	}
	switch st.Type {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC:
		return false, nil
	}
	return st.Flags&unix.ST_RDONLY == 0, nil
}
