// Package root gives the machine a root filesystem that runc can work on. It is
// the first thing that PID 1 does, before any other mount.
//
// The OCI runtime's pivot_root(2) refuses to work while "/" is the initramfs,
// because that mount has no parent. What is done about it depends on what is
// found:
//   - payload: the initramfs holds a squashfs of the real tree, which is mounted
//     through a loop device and moved over "/";
//   - a bootstrap: the initramfs holds modules only, and the squashfs is on the
//     disk that root= names, which a kernel without drivers of its own cannot
//     mount by itself;
//   - a plain tree: "/" is bound on itself one level up, which costs nothing, or,
//     where a container could dig its way back below that, its files are moved
//     into a tmpfs;
//   - any other root (disk, ISO, squashfs), and kernels from 7.0 on, whose
//     initramfs has a parent: nothing.
package root

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"slipway/pkg/machine"

	"golang.org/x/sys/unix"
)

// Method is a way to the real root.
type Method string

// The methods.
const (
	Payload Method = "payload"
	Disk    Method = "disk"
	Bind    Method = "bind"
	Copy    Method = "copy"
	Nothing Method = "none"
)

// payloadDir holds the squashfs and the modules that it takes to mount it.
const (
	payloadDir  = "/" + machine.PayloadDir
	payloadFile = "/" + machine.PayloadRoot
	modulesList = "/" + machine.PayloadModules
)

// Facts is what the choice depends on.
type Facts struct {
	Payload   bool  // there is a squashfs
	Bootstrap bool  // there are modules for one on a disk
	Magic     int64 // type of the filesystem on "/", as statfs(2) has it
	HasParent bool  // "/" is mounted on something already
	Powerful  bool  // a container holds the capabilities to uncover a hidden root
}

// Choose decides how to get to the real root.
func Choose(f Facts) Method {
	switch {
	case f.Payload:
		return Payload
	case f.Bootstrap:
		return Disk
	case f.Magic != unix.RAMFS_MAGIC && f.Magic != unix.TMPFS_MAGIC, f.HasParent:
		return Nothing
	case f.Powerful:
		return Copy
	}
	return Bind
}

// Enter finds out what there is, gets to the real root and says how.
func Enter() (Method, error) {
	f, err := look()
	if err != nil {
		return Nothing, err
	}
	m := Choose(f)
	switch m {
	case Payload:
		err = enterPayload()
	case Disk:
		err = enterDisk()
	case Bind:
		err = enterBind()
	case Copy:
		err = enterCopy()
	}
	if err != nil {
		return m, fmt.Errorf("enter root by %s: %w", m, err)
	}
	return m, nil
}

// look gathers the facts. Containers are only read where it matters.
func look() (Facts, error) {
	var f Facts
	var st unix.Statfs_t
	if err := unix.Statfs("/", &st); err != nil {
		return f, fmt.Errorf("statfs /: %w", err)
	}
	f.Magic = int64(st.Type)
	for file, found := range map[string]*bool{payloadFile: &f.Payload, modulesList: &f.Bootstrap} {
		_, err := os.Lstat(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, fmt.Errorf("look for payload: %w", err)
		}
		*found = err == nil
	}
	if f.Payload || f.Bootstrap {
		return f, nil
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return f, fmt.Errorf("uname: %w", err)
	}
	f.HasParent = initramfsHasParent(unix.ByteSliceToString(u.Release[:]))
	if Choose(f) == Bind {
		f.Powerful = anyPowerful("/containers")
	}
	return f, nil
}

// initramfsHasParent says whether the kernel mounts its initramfs on top of an
// empty nullfs, as all do from 7.0 on. Without /proc, which must not be mounted
// yet, the release tells best.
func initramfsHasParent(release string) bool {
	var major int
	if _, err := fmt.Sscanf(release, "%d.", &major); err != nil {
		return false
	}
	return major >= 7
}

// enter makes the mount on dir the root of the mount namespace and of this
// process; kernel threads, which share it, follow.
func enter(dir string) error {
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("chdir %s: %w", dir, err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", dir, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("chdir /: %w", err)
	}
	return nil
}
