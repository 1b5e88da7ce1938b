package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"

	"golang.org/x/sys/unix"
)

// Bind keeps a namespace of the container alive on a file.
type Bind struct {
	bundle.NSPath
	writers mount.Writers
}

func (b Bind) String() string {
	return fmt.Sprintf("mount --bind /proc/$PID/ns/%s %s", b.NS, b.Path)
}

// Lasting is true: outliving the container is what the bind is for.
func (b Bind) Lasting() bool { return true }

// Apply binds the namespace. A namespace that an earlier run of the container
// left on the file is replaced; a link in the file's place is refused.
func (b Bind) Apply(_ context.Context, pid int) (undo func() error, err error) {
	dir, made, err := b.writers.Make(path.Dir(b.Path), 0o755)
	if err != nil {
		return nil, fmt.Errorf("bind namespace to %s: %w", b.Path, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	real, err := dir.Real()
	if err != nil {
		return nil, err
	}
	file := path.Join(real, path.Base(b.Path))
	created, err := vacate(dir, path.Base(file))
	clean := func() error { return tidy(file, created, made) }
	if err == nil {
		err = bind(fmt.Sprintf("/proc/%d/ns/%s", pid, b.NS), dir, file)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bind namespace to %s: %w", b.Path, err), clean())
	}
	return func() error { return errors.Join(mount.Unmount(file, 0), clean()) }, nil
}

func bind(source string, dir *mount.Dir, file string) error {
	at, err := dir.Entry(path.Base(file))
	if err != nil {
		return err
	}
	call := mount.Mount{Source: source, Target: file, Flags: unix.MS_BIND}
	return errors.Join(call.DoAt(source, at.Proc(), nil), at.Close())
}

// nsfsMagic is the filesystem of /proc/PID/ns files, linux/magic.h.
const nsfsMagic = 0x6e736673

// vacate makes the file, or frees it of namespaces bound to it.
func vacate(dir *mount.Dir, base string) (created bool, err error) {
	f, err := os.OpenFile(path.Join(dir.Proc(), base), os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o644)
	if err == nil {
		return true, f.Close()
	}
	if !errors.Is(err, os.ErrExist) {
		return false, err
	}
	return false, unbind(dir, base)
}

// unbind takes all namespaces off a file.
func unbind(dir *mount.Dir, base string) error {
	real, err := dir.Real()
	for err == nil {
		var at *mount.Dir
		if at, err = dir.Entry(base); err != nil {
			break
		}
		kind, kindErr := at.Filesystem()
		if err = errors.Join(kindErr, at.Close()); err != nil || kind != nsfsMagic {
			break
		}
		err = mount.Unmount(path.Join(real, base), unix.MNT_DETACH)
	}
	return err
}

// Unbind lets go of a namespace that an earlier run left bound.
type Unbind struct {
	bundle.NSPath
	writers mount.Writers
}

func (u Unbind) String() string { return "umount -l " + u.Path + " # if bound" }

// Lasting is true.
func (u Unbind) Lasting() bool { return true }

// Apply frees the file, if it is there.
func (u Unbind) Apply(context.Context, int) (func() error, error) {
	dir, err := u.writers.Open(path.Dir(u.Path))
	if err == nil {
		err = errors.Join(unbind(dir.Dir, path.Base(u.Path)), dir.Close())
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
	for i := len(made) - 1; i >= 0; i-- {
		if rmErr := unix.Rmdir(made[i]); rmErr != nil && !errors.Is(rmErr, unix.ENOTEMPTY) {
			err = errors.Join(err, &os.PathError{Op: "rmdir", Path: made[i], Err: rmErr})
		}
	}
	return err
}
