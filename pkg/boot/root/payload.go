package root

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// newRoot is where the real root is mounted before it moves. The directory stays
// behind in the initramfs.
const newRoot = "/.root"

// serviceProgram is where the service program lies in the root.
const serviceProgram = "/usr/bin/service"

func enterPayload() error {
	files, err := openModules(modulesList)
	if err != nil {
		return err
	}
	l := startLoading(files)
	l.awaitMount()
	if err := mountPayload(); err != nil {
		// Why a module did not load is only worth a word now.
		return errors.Join(err, l.await())
	}
	initramfs, err := os.Open("/")
	if err != nil {
		return err
	}
	defer initramfs.Close()
	shared, err := shareProgram("/init", newRoot+serviceProgram, newRoot+"/init")
	if err != nil {
		return err
	}
	keep := []string{path.Base(newRoot)}
	if shared {
		// What is deleted and still in use would keep it writable; see protect.
		keep = append(keep, "init", "dev", path.Base(payloadDir))
		if err := empty(payloadDir, path.Base(payloadFile)); err != nil {
			return err
		}
	}
	if err := empty("/", keep...); err != nil {
		return err
	}
	if err := enter(newRoot); err != nil {
		return err
	}
	if err := l.await(); err != nil || !shared {
		return err
	}
	return protect(initramfs)
}

// protect makes the filesystem of the initramfs read-only, whose init containers see as the
// service program. A mount that is read-only would not do: theirs is another. Where it cannot be
// done, they and the supervisor have the root's own program.
func protect(initramfs *os.File) error {
	err := unix.Fchdir(int(initramfs.Fd()))
	if err == nil {
		err = errors.Join(unix.Mount("", ".", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""), unix.Chdir("/"))
	}
	if err == nil {
		return nil
	}
	if err := unix.Unmount(serviceProgram, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", serviceProgram, err)
	}
	return nil
}

// mountPayload mounts the squashfs on newRoot.
func mountPayload() error {
	loop, err := attachLoop(payloadFile)
	if err != nil {
		return err
	}
	// The device detaches itself at its last close: from the mount on, that is
	// the unmounting.
	defer loop.Close()
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount(loop.Name(), newRoot, "squashfs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount squashfs %s on %s: %w", loop.Name(), newRoot, err)
	}
	return nil
}

// payloadLoop is the first device behind those that kernels make by default, whose
// names users write down: /dev/loop0 is the default of LinuxKit's losetup package.
const payloadLoop = 8

// attachLoop makes a read-only block device of a file. There is no devtmpfs yet,
// and mounting it here would have to be undone, so the nodes are made by hand.
func attachLoop(file string) (*os.File, error) {
	control, err := openNode(payloadDir+"/loop-control", unix.S_IFCHR, unix.Mkdev(10, 237))
	if err != nil {
		return nil, err
	}
	defer control.Close()
	n, err := payloadLoop, unix.IoctlSetInt(int(control.Fd()), unix.LOOP_CTL_ADD, payloadLoop)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		n, err = unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find free loop device: %w", err)
		}
	}
	loop, err := openNode(fmt.Sprintf("%s/loop%d", payloadDir, n), unix.S_IFBLK, unix.Mkdev(7, uint32(n)))
	if err != nil {
		return nil, err
	}
	if err := configureLoop(loop, file); err != nil {
		return nil, errors.Join(err, loop.Close())
	}
	return loop, nil
}

// configureLoop binds the file to the device, read-only.
func configureLoop(loop *os.File, file string) error {
	backing, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("attach loop device: %w", err)
	}
	defer backing.Close()
	c := unix.LoopConfig{Fd: uint32(backing.Fd())}
	c.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR
	copy(c.Info.File_name[:], path.Base(file))
	if err := unix.IoctlLoopConfigure(int(loop.Fd()), &c); err != nil {
		return fmt.Errorf("attach %s to %s: %w", file, loop.Name(), err)
	}
	return nil
}

// openNode makes a device node and opens it.
func openNode(name string, kind uint32, dev uint64) (*os.File, error) {
	if err := unix.Mknod(name, kind|0o600, int(dev)); err != nil {
		return nil, fmt.Errorf("make node %s: %w", name, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
		f, err = os.Open(name)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return f, nil
}

// shareProgram puts own, the file that PID 1 runs, in the place of the service program where
// that is the same file as the root's init, of which own is a copy. So nothing of it
// is unpacked again, and PID 1, the supervisor and the command line have their program in
// memory once.
func shareProgram(own, service, init string) (shared bool, err error) {
	a, err := os.Stat(service)
	b, initErr := os.Stat(init)
	if err != nil || initErr != nil || !os.SameFile(a, b) {
		return false, nil // two programs, or none
	}
	if err := unix.Mount(own, service, "", unix.MS_BIND, ""); err != nil {
		return false, fmt.Errorf("bind %s on %s: %w", own, service, err)
	}
	return true, nil
}

// empty deletes what is in dir but the entries to keep, and never leaves its filesystem.
// Memory of the squashfs stays in use through the loop device alone.
func empty(dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("empty %s: %w", dir, err)
	}
	var here, there unix.Stat_t
	if err := unix.Lstat(dir, &here); err != nil {
		return fmt.Errorf("empty %s: %w", dir, err)
	}
	var errs []error
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if slices.Contains(keep, e.Name()) {
			continue
		}
		if err := unix.Lstat(name, &there); err != nil || there.Dev != here.Dev {
			continue
		}
		if e.IsDir() {
			errs = append(errs, empty(name))
		}
		errs = append(errs, os.Remove(name))
	}
	return errors.Join(errs...)
}
