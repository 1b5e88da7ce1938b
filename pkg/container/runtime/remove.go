package runtime

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// RemoveState takes the state of a container away. Files are unlinked and
// directories removed one by one: nothing is deleted through a mount.
func (r *Runtime) RemoveState(id string, unmount func(dir string) error) error {
	dir := r.StateDir(id)
	err := removeTree(dir)
	if errors.Is(err, syscall.EBUSY) {
		// Some versions of runc bind themselves there and, killed, stay so.
		if err := unmount(dir); err != nil {
			return err
		}
		err = removeTree(dir)
	}
	return err
}

// removeTree descends only where rmdir says that a directory is not empty, which
// it does not say of a mount point: that one is busy.
func removeTree(dir string) error {
	err := syscall.Rmdir(dir)
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ENOTEMPTY):
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			err = removeTree(name)
		} else if err = syscall.Unlink(name); err != nil {
			err = &os.PathError{Op: "unlink", Path: name, Err: err}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syscall.Rmdir(dir); err != nil {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
