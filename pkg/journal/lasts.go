package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Lasts tells whether a folder, or the one it would be made in, lies on
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
