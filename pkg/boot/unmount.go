package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// memoryTypes are filesystems with nothing to save. All others are unmounted: it
// is better to know what is lost with the power than to know all that is not.
var memoryTypes = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true,
	"debugfs": true, "devpts": true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true,
	"mqueue": true, "nsfs": true, "proc": true, "pstore": true, "ramfs": true, "rootfs": true,
	"securityfs": true, "selinuxfs": true, "sysfs": true, "tmpfs": true, "tracefs": true,
}

// netTypes block for long when their server is gone.
var netTypes = map[string]bool{"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "ceph": true}

// leave plans the unmounting: innermost first, everything that holds data and what
// lies on top of such.
func leave(table []mount.Entry) []mount.Entry {
	byID := map[int]mount.Entry{}
	for _, e := range table {
		byID[e.ID] = e
	}
	var plan []mount.Entry
	for _, e := range mount.InnermostFirst(table, "/") {
		if e.Target != "/" && onData(byID, e) {
			plan = append(plan, e)
		}
	}
	return plan
}

// onData says whether a mount, or one that it lies on, holds data. The root is
// none of these: it cannot be unmounted from within.
func onData(byID map[int]mount.Entry, e mount.Entry) bool {
	// Bounded, because the root may be its own parent.
	for range byID {
		if e.Target == "/" {
			return false
		}
		if !memoryTypes[e.Type] {
			return true
		}
		parent, ok := byID[e.Parent]
		if !ok {
			return false
		}
		e = parent
	}
	return false
}

// unmountAll unmounts in rounds, because something may only now be free. What
// stays is made read-only, which saves its data as well.
func (m *Machine) unmountAll() error {
	const rounds = 5
	for range rounds {
		plan, err := planUnmount()
		if err != nil {
			return err
		}
		left := tryUnmount(plan)
		// A loop device keeps the disk below its file in use.
		if err := detachLoops(); err != nil {
			return err
		}
		if left == 0 {
			return remountRoot()
		}
		if left == len(plan) {
			time.Sleep(100 * time.Millisecond)
		}
	}
	plan, err := planUnmount()
	errs := []error{err}
	for _, e := range plan {
		m.Console.Printf("%s (%s) cannot be unmounted, in use by: %s", e.Target, e.Type, strings.Join(holders(e.Target), ", "))
		errs = append(errs, mount.Mount{Target: e.Target, Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do())
	}
	return errors.Join(append(errs, remountRoot())...)
}

func planUnmount() ([]mount.Entry, error) {
	table, err := mount.Table()
	if err != nil {
		return nil, fmt.Errorf("read mount table: %w", err)
	}
	return leave(table), nil
}

// tryUnmount returns how many mounts of the plan are left.
func tryUnmount(plan []mount.Entry) int {
	left := 0
	for _, e := range plan {
		flags := 0
		if netTypes[e.Type] {
			flags = unix.MNT_DETACH
		}
		if err := mount.Unmount(e.Target, flags); err != nil {
			left++
		}
	}
	return left
}

// remountRoot makes a root on a disk clean; it cannot be unmounted from within.
func remountRoot() error {
	return mount.Mount{Target: "/", Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do()
}

// swapOff gives up swap, which holds no data but keeps its disk in use.
func swapOff() error {
	data, err := os.ReadFile("/proc/swaps")
	if err != nil {
		// A kernel without swap has no such file.
		return nil
	}
	var errs []error
	for line := range strings.Lines(string(data)) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(name, "/") {
			continue
		}
		if err := swapoff(name); err != nil {
			errs = append(errs, fmt.Errorf("swapoff %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func swapoff(name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return swapoffCall(p)
}

// detachLoops frees the disks below loop devices. That of the root stays in use.
func detachLoops() error {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		name := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(f)))
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.IoctlRetInt(fd, unix.LOOP_CLR_FD)
			err = errors.Join(err, unix.Close(fd))
		}
		if err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENXIO) {
			errs = append(errs, fmt.Errorf("detach %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
