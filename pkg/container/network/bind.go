package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"

	"golang.org/x/sys/unix"
)

// Bind keeps a namespace of the container alive on a file.
type Bind struct{ bundle.NSPath }

func (b Bind) String() string {
	return fmt.Sprintf("mount --bind /proc/$PID/ns/%s %s", b.NS, b.Path)
}

// Lasting is true: outliving the container is what the bind is for.
func (b Bind) Lasting() bool { return true }

// Apply binds the namespace. A namespace that an earlier run of the container
// left on the file is replaced.
func (b Bind) Apply(_ context.Context, pid int) (undo func() error, err error) {
	dir, made, err := directory(path.Dir(b.Path))
	if err != nil {
		return nil, fmt.Errorf("bind namespace to %s: %w", b.Path, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	real, err := dir.Real()
	if err != nil {
		return nil, err
	}
	file := path.Join(real, path.Base(b.Path))
	created, err := vacate(file)
	clean := func() error { return tidy(file, created, made) }
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bind namespace to %s: %w", b.Path, err), clean())
	}
	bind := mount.Mount{Source: fmt.Sprintf("/proc/%d/ns/%s", pid, b.NS), Target: file, Flags: unix.MS_BIND}
	if err := bind.Do(); err != nil {
		return nil, errors.Join(err, clean())
	}
	return func() error { return errors.Join(mount.Unmount(file, 0), clean()) }, nil
}

func directory(name string) (*mount.Dir, []string, error) {
	root, err := mount.OpenDir("/")
	if err != nil {
		return nil, nil, err
	}
	dir, made, err := root.MkdirAll(name, 0o755)
	return dir, made, errors.Join(err, root.Close())
}

// nsfsMagic is the filesystem of /proc/PID/ns files, linux/magic.h.
const nsfsMagic = 0x6e736673

// vacate makes the file, or frees it of namespaces bound to it.
func vacate(file string) (created bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o644)
	if err == nil {
		return true, f.Close()
	}
	if !errors.Is(err, os.ErrExist) {
		return false, err
	}
	return false, unbind(file)
}

// unbind takes all namespaces off a file. It is no link, which would lead to any file of the machine, and a container
// may have put it there.
func unbind(file string) error {
	if to, err := os.Readlink(file); err == nil {
		return fmt.Errorf("it is a symbolic link to %s", to)
	}
	for {
		var st unix.Statfs_t
		if err := unix.Statfs(file, &st); err != nil {
			return &os.PathError{Op: "statfs", Path: file, Err: err}
		}
		if st.Type != nsfsMagic {
			return nil
		}
		if err := mount.Unmount(file, unix.MNT_DETACH); err != nil {
			return err
		}
	}
}

// Unbind lets go of a namespace that an earlier run left bound.
type Unbind struct{ bundle.NSPath }

func (u Unbind) String() string { return "umount -l " + u.Path + " # if bound" }

// Lasting is true.
func (u Unbind) Lasting() bool { return true }

// Apply frees the file, if it is there.
func (u Unbind) Apply(context.Context, int) (func() error, error) {
	real, err := filepath.EvalSymlinks(path.Dir(u.Path))
	if err == nil {
		err = unbind(path.Join(real, path.Base(u.Path)))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("unbind namespace from %s: %w", u.Path, err)
	}
	return func() error { return nil }, nil
}

// tidy takes away what Apply made.
func tidy(file string, created bool, made []string) error {
	var err error
	if created {
		err = os.Remove(file)
	}
	for _, dir := range slices.Backward(made) {
		if rmErr := unix.Rmdir(dir); rmErr != nil && !errors.Is(rmErr, unix.ENOTEMPTY) {
			err = errors.Join(err, &os.PathError{Op: "rmdir", Path: dir, Err: rmErr})
		}
	}
	return err
}
