package oci

import (
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// create makes a file that keep can name; nil if nothing is to be kept.
func (u unpacked) create() *os.File {
	if u.dir == "" {
		return nil
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(u.dir), &disk); err != nil || disk.Bavail < disk.Blocks/keepFree {
		return nil
	}
	if err := os.MkdirAll(u.dir, 0o755); err != nil {
		return nil
	}
	fd, err := unix.Open(u.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), u.dir)
}

// keep names a file of create and makes room for it. Where it cannot, the file
// serves this build and goes.
func (u unpacked) keep(file *os.File, diff v1.Hash) {
	from := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	if unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, u.path(diff), unix.AT_SYMLINK_FOLLOW) == nil {
		u.prune(maxUnpacked)
	}
}
