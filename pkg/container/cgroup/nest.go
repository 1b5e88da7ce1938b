package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// nestMark is an extended attribute of groups that were made for nothing but what
// lies in them. It goes with the group, whoever removes that. Containers cannot set
// it: it takes CAP_SYS_ADMIN.
const nestMark = "trusted.slipway.nest"

// Nest makes the group, and those that it lies in as far as they are missing. These
// go with the last group in them, by RemoveOnce.
func (g Group) Nest() error {
	for _, dir := range g.dirs {
		if _, err := nest(dir); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	return nil
}

// nest makes a directory and tells whether it was missing. One above it may be
// removed meanwhile, when another container ends, and is made again then.
func nest(dir string) (made bool, err error) {
	for {
		err := os.Mkdir(dir, 0o755)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err == nil, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		above := path.Dir(dir)
		made, err := nest(above)
		if err == nil && made {
			if err = unix.Lsetxattr(above, nestMark, []byte("1"), 0); err != nil {
				err = fmt.Errorf("mark %s: %w", above, err)
			}
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, err
		}
	}
}

// removeNest removes the marked groups above dir that nothing lies in any more.
func removeNest(dir string) error {
	for {
		dir = path.Dir(dir)
		_, err := unix.Lgetxattr(dir, nestMark, nil)
		if err == nil {
			err = unix.Rmdir(dir)
		}
		switch {
		case err == nil, errors.Is(err, unix.ENOENT):
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENOTEMPTY):
			return nil
		default:
			return &os.PathError{Op: "remove cgroup", Path: dir, Err: err}
		}
	}
}

// keepNest takes the mark off a group that is to stay.
func keepNest(dir string) error {
	err := unix.Lremovexattr(dir, nestMark)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return os.NewSyscallError("take the mark off "+dir+": lremovexattr", err)
}
