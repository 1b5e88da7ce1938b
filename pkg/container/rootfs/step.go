package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"

	"golang.org/x/sys/unix"
)

// Mkdir makes a directory and those above it. It lasts as in LinuxKit, whose
// later containers find the directory.
type Mkdir struct{ at location }

func (m Mkdir) String() string { return "mkdir -p -m 755 " + m.at.String() }

// Lasting is true.
func (m Mkdir) Lasting() bool { return true }

// Apply makes the directory.
func (m Mkdir) Apply(context.Context, int) (func() error, error) {
	d, made, err := m.at.make()
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make directory %s: %w", m.at, err), rmdirs(made))
	}
	return func() error { return rmdirs(made) }, nil
}

// rmdirs takes away directories that are still empty, innermost first.
func rmdirs(made []string) error {
	var faults []error
	for _, dir := range slices.Backward(made) {
		err := mount.Rmdir(dir)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTEMPTY) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Mount is one mount(2) call; a target that is missing is made.
type Mount struct {
	mount.Mount
	bundle *bundle.Bundle
	ledger *Ledger
}

// Lasting is true for what is not mounted in the bundle: a tmpfs on /run/t or
// a disk on /var/lib is mounted for the containers that come later, and
// LinuxKit never takes it away.
func (m Mount) Lasting() bool { return !mount.Below(m.Target, m.bundle.Dir) }

// Apply makes the mount. A lasting one that an earlier start of the same
// container made, and that is still on top, is left as it is, so that the
// restarts of a service do not pile up.
func (m Mount) Apply(context.Context, int) (undo func() error, err error) {
	r := &resolved{}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.resolve(m); err != nil {
		return nil, errors.Join(fmt.Errorf("mount on %s: %w", m.Target, err), rmdirs(r.made))
	}
	if m.IsNew() && m.Lasting() && m.ledger.holds(r.real) {
		return func() error { return nil }, nil
	}
	if err := m.call(r); err != nil {
		return nil, errors.Join(err, rmdirs(r.made))
	}
	if !m.IsNew() {
		return func() error { return rmdirs(r.made) }, nil
	}
	undo = func() error {
		return errors.Join(unmount(r.real), m.ledger.drop(r.real), rmdirs(r.made))
	}
	if m.Lasting() {
		if err := m.ledger.add(r.real); err != nil {
			return nil, errors.Join(err, undo())
		}
	}
	return undo, nil
}

func (m Mount) call(r *resolved) error {
	call := m.Mount
	if call.Flags&unix.MS_REMOUNT != 0 && call.Flags&unix.MS_BIND != 0 {
		// This call sets all flags of the mount, so those that came over from
		// the source have to be named again.
		var st unix.Statfs_t
		if err := unix.Statfs(r.target, &st); err != nil {
			return &mount.Error{Op: "mount", Mount: call, Err: err}
		}
		call.Flags |= uintptr(st.Flags) & (unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	}
	return call.DoAt(r.source, r.target, r.data)
}

// unmount takes away what a step mounted; having gone already is as good.
func unmount(target string) error {
	err := mount.Unmount(target, 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// resolved is what a mount's names led to, held open until the call is made.
type resolved struct {
	source, target string
	real           string // the target's path without links
	data           []string
	made           []string
	open           []io.Closer
}

func (r *resolved) close() error {
	var faults []error
	for _, c := range r.open {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

func (r *resolved) resolve(m Mount) error {
	if err := r.resolveSource(m); err != nil {
		return err
	}
	d, err := r.hold(locate(m.bundle, m.Target), m.IsNew() && m.Source != m.Target)
	if err != nil {
		return err
	}
	r.target = d.Proc()
	if r.real, err = d.Real(); err != nil {
		return err
	}
	return r.resolveData(m)
}

func (r *resolved) resolveSource(m Mount) error {
	r.source = m.Source
	if m.Flags&unix.MS_BIND == 0 || m.Flags&unix.MS_REMOUNT != 0 {
		return nil
	}
	d, err := r.hold(locate(m.bundle, m.Source), false)
	if err == nil {
		r.source = d.Proc()
	}
	return err
}

// Options of an overlay that hold a path.
const (
	lowerOption = "lowerdir="
	upperOption = "upperdir="
	workOption  = "workdir="
)

func (r *resolved) resolveData(m Mount) error {
	for _, option := range m.Data {
		name, value, _ := strings.Cut(option, "=")
		name += "="
		var err error
		switch name {
		case upperOption, workOption:
			value, err = r.dataPath(m, value, true)
		case lowerOption:
			value, err = r.lower(m, value)
		default:
			r.data = append(r.data, option)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s%w", name, err)
		}
		r.data = append(r.data, name+value)
	}
	return nil
}

// lower resolves one directory or, if there is none of that name, several that
// are separated by colons.
func (r *resolved) lower(m Mount, value string) (string, error) {
	one, err := r.dataPath(m, value, false)
	if err == nil || !strings.Contains(value, ":") {
		return one, err
	}
	var all []string
	for dir := range strings.SplitSeq(value, ":") {
		if one, err = r.dataPath(m, dir, false); err != nil {
			return "", err
		}
		all = append(all, one)
	}
	return strings.Join(all, ":"), nil
}

// dataPath gives a path that the overlay driver takes for exactly this directory:
// without links, and by its fd if characters in it would mean something there.
func (r *resolved) dataPath(m Mount, name string, create bool) (string, error) {
	d, err := r.hold(m.dataLocation(name), create)
	if err != nil {
		return "", err
	}
	real, err := d.Real()
	if err == nil && strings.ContainsAny(real, `,:\`) {
		return d.Proc(), nil
	}
	return real, err
}

// dataLocation is where a directory of the overlay lies. What is below the directory of
// slipway.upper may have been written by containers.
func (m Mount) dataLocation(name string) location {
	disk := m.bundle.Policy.Upper.Disk
	if rel, ok := strings.CutPrefix(path.Clean(name), disk+"/"); ok && disk != "" {
		return location{base: disk, rest: rel}
	}
	return locate(m.bundle, name)
}

func (r *resolved) hold(p location, create bool) (d *mount.Dir, err error) {
	if create {
		var made []string
		d, made, err = p.make()
		r.made = append(r.made, made...)
	} else {
		d, err = p.open()
	}
	if err == nil {
		r.open = append(r.open, d)
	}
	return d, err
}
