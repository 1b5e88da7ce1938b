package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// programMount is where the supervisor's program lies, usually in a root that cannot
// be written. A new one is mounted over it, out of a tmpfs of its own: /run,
// /var and /tmp of LinuxKit's machines do not let programs run.
type programMount struct {
	target string // the program's path
	dir    string // of the tmpfs
}

func (p programMount) file(name string) string { return filepath.Join(p.dir, name) }

// The programs in the tmpfs: the one that is mounted, and the one to be.
const (
	currentProgram = "current"
	newProgram     = "new"
)

// copyIn copies a program to where it can run.
func (p programMount) copyIn(in *os.File) (string, error) {
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is not a file", in.Name()))
	}
	if err := p.mount(); err != nil {
		return "", err
	}
	name := p.file(newProgram)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("put program: %w", err)
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return "", fmt.Errorf("put program: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("copy %s: %w", in.Name(), err), os.Remove(name))
	}
	return name, nil
}

// mount makes the tmpfs, if it is not there.
func (p programMount) mount() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("put program: %w", err)
	}
	if same, err := sameDevice(p.dir, filepath.Dir(p.dir)); err != nil || !same {
		return err
	}
	return mount.Mount{Source: "tmpfs", Target: p.dir, Type: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV,
		Data: []string{"mode=700", "size=64m"}}.Do()
}

// put mounts a program over the place.
func (p programMount) put(file string) error {
	if err := p.clear(); err != nil {
		return err
	}
	return mount.Mount{Source: file, Target: p.target, Flags: unix.MS_BIND}.Do()
}

// clear takes away what an upgrade has mounted, and nothing else.
func (p programMount) clear() error {
	same, err := sameDevice(p.dir, p.target)
	if errors.Is(err, os.ErrNotExist) || err == nil && !same {
		return nil
	}
	if err != nil {
		return err
	}
	return mount.Unmount(p.target, unix.MNT_DETACH)
}

// putBack undoes put.
func (p programMount) putBack() error {
	errs := []error{p.clear()}
	if err := os.Remove(p.file(newProgram)); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	if _, err := os.Stat(p.file(currentProgram)); err == nil {
		errs = append(errs, p.put(p.file(currentProgram)))
	}
	return errors.Join(errs...)
}

// keep makes what was put the one to go back to.
func (p programMount) keep() error {
	if err := os.Rename(p.file(newProgram), p.file(currentProgram)); err != nil {
		return fmt.Errorf("keep program: %w", err)
	}
	return nil
}

// drop gives the programs' memory back.
func (p programMount) drop() error {
	same, err := sameDevice(p.dir, filepath.Dir(p.dir))
	if errors.Is(err, os.ErrNotExist) || err == nil && same {
		return nil
	}
	if err != nil {
		return err
	}
	return mount.Unmount(p.dir, unix.MNT_DETACH)
}

func sameDevice(a, b string) (bool, error) {
	var x, y unix.Stat_t
	if err := unix.Stat(a, &x); err != nil {
		return false, fmt.Errorf("look at %s: %w", a, err)
	}
	if err := unix.Stat(b, &y); err != nil {
		return false, fmt.Errorf("look at %s: %w", b, err)
	}
	return x.Dev == y.Dev, nil
}
