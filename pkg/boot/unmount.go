package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is one line of /proc/self/mountinfo.
type mounted struct{ target, fstype string }

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

// parseMountinfo reads the mount table, in the order of mounting.
func parseMountinfo(text string) []mounted {
	var table []mounted
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if !ok || len(b) < 6 || len(a) < 1 {
			continue
		}
		table = append(table, mounted{target: unescape(b[4]), fstype: a[0]})
	}
	return table
}

// unescape undoes the octal escapes of spaces and the like.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// leave plans the unmounting: innermost first, which is the reverse of the order
// in which things were mounted, everything that holds data and what lies on top
// of such.
func leave(table []mounted) []mounted {
	var plan []mounted
	for i := len(table) - 1; i >= 0; i-- {
		m := table[i]
		if m.target != "/" && (!memoryTypes[m.fstype] || onData(table[:i], m.target)) {
			plan = append(plan, m)
		}
	}
	return plan
}

// onData says whether a filesystem in memory is mounted on one with data, which
// it keeps from being unmounted.
func onData(before []mounted, target string) bool {
	best := mounted{fstype: "tmpfs"}
	for _, m := range before {
		if m.target != "/" && (m.target == target || strings.HasPrefix(target, m.target+"/")) && len(m.target) >= len(best.target) {
			best = m
		}
	}
	return !memoryTypes[best.fstype]
}

// unmountAll unmounts in rounds, because something may only now be free. What
// stays is made read-only, which saves its data as well.
func (m *Machine) unmountAll() error {
	const rounds = 5
	for round := range rounds {
		data, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return fmt.Errorf("read mount table: %w", err)
		}
		plan := leave(parseMountinfo(string(data)))
		if left := tryUnmount(plan); left == 0 {
			return remountRoot()
		} else if left == len(plan) && round > 0 {
			time.Sleep(100 * time.Millisecond)
		}
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read mount table: %w", err)
	}
	var errs []error
	for _, f := range leave(parseMountinfo(string(data))) {
		m.Console.Printf("%s (%s) cannot be unmounted, in use by: %s", f.target, f.fstype, strings.Join(holders(f.target), ", "))
		if err := unix.Mount("", f.target, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			errs = append(errs, fmt.Errorf("remount %s read-only: %w", f.target, err))
		}
	}
	return errors.Join(append(errs, remountRoot())...)
}

// tryUnmount returns how many mounts of the plan are left.
func tryUnmount(plan []mounted) int {
	left := 0
	for _, f := range plan {
		flags := unix.UMOUNT_NOFOLLOW
		if netTypes[f.fstype] {
			flags |= unix.MNT_DETACH
		}
		if err := unix.Unmount(f.target, flags); err != nil && !errors.Is(err, unix.EINVAL) {
			left++
		}
	}
	return left
}

// remountRoot makes a root on a disk clean; it cannot be unmounted from within.
func remountRoot() error {
	err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	if err != nil {
		return fmt.Errorf("remount / read-only: %w", err)
	}
	return nil
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
		if err := swapoff(unescape(name)); err != nil {
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
