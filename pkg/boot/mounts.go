package boot

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one call of mount(2).
type Mount struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
}

// Short names for the tables.
const (
	nodev    = unix.MS_NODEV
	nosuid   = unix.MS_NOSUID
	noexec   = unix.MS_NOEXEC
	relatime = unix.MS_RELATIME
)

// The mounts of a machine are those of LinuxKit, with its flags, because
// containers bind these paths. Sizes bound what a container that writes to a bound
// path can take of the memory.
var (
	procMount = []Mount{
		{"proc", "/proc", "proc", nodev | nosuid | noexec | relatime, ""},
	}
	baseMounts = []Mount{
		{"tmpfs", "/run", "tmpfs", nodev | nosuid | noexec | relatime, "size=10%,mode=755"},
		{"tmpfs", "/tmp", "tmpfs", nodev | nosuid | noexec | relatime, "size=10%,mode=1777"},
		{"tmpfs", "/var", "tmpfs", nodev | nosuid | noexec | relatime, "size=50%,mode=755"},
		{"dev", "/dev", "devtmpfs", nosuid | noexec | relatime, "size=10m,nr_inodes=248418,mode=755"},
		{"sysfs", "/sys", "sysfs", noexec | nosuid | nodev, ""},
	}
	deviceMounts = []Mount{
		{"mqueue", "/dev/mqueue", "mqueue", noexec | nosuid | nodev, ""},
		{"shm", "/dev/shm", "tmpfs", noexec | nosuid | nodev, "mode=1777"},
		{"devpts", "/dev/pts", "devpts", noexec | nosuid, "gid=5,mode=0620"},
	}
	kernelMounts = []Mount{
		{"securityfs", "/sys/kernel/security", "securityfs", noexec | nosuid | nodev, ""},
		{"debugfs", "/sys/kernel/debug", "debugfs", noexec | nosuid | nodev, ""},
		{"configfs", "/sys/kernel/config", "configfs", noexec | nosuid | nodev, ""},
		{"fusectl", "/sys/fs/fuse/connections", "fusectl", noexec | nosuid | nodev, ""},
		{"selinuxfs", "/sys/fs/selinux", "selinuxfs", noexec | nosuid, ""},
		{"pstore", "/sys/fs/pstore", "pstore", noexec | nosuid | nodev, ""},
		{"efivarfs", "/sys/firmware/efi/efivars", "efivarfs", noexec | nosuid | nodev, ""},
		{"binfmt_misc", "/proc/sys/fs/binfmt_misc", "binfmt_misc", noexec | nosuid | nodev, ""},
		{"bpf", "/sys/fs/bpf", "bpf", nodev, ""},
	}
)

// String is the mount(8) command that does the same.
func (m Mount) String() string {
	options := flagNames(m.Flags)
	if m.Data != "" {
		options = append(options, m.Data)
	}
	s := "mount"
	if m.Type != "" {
		s += " -t " + m.Type
	}
	if len(options) > 0 {
		s += " -o " + strings.Join(options, ",")
	}
	if m.Source != "" {
		s += " " + m.Source
	}
	return s + " " + m.Target
}

func flagNames(flags uintptr) []string {
	var names []string
	for _, f := range []struct {
		flag uintptr
		name string
	}{
		{unix.MS_REMOUNT, "remount"}, {unix.MS_RDONLY, "ro"}, {nosuid, "nosuid"}, {nodev, "nodev"},
		{noexec, "noexec"}, {relatime, "relatime"}, {unix.MS_SHARED | unix.MS_REC, "rshared"},
	} {
		if flags&f.flag == f.flag {
			names = append(names, f.name)
		}
	}
	return names
}

// do makes the mount point if need be and mounts.
func (m Mount) do() error {
	if _, err := os.Stat(m.Target); err != nil {
		if err := os.MkdirAll(m.Target, 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	}
	if err := unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data); err != nil {
		return fmt.Errorf("%s: %w", m, err)
	}
	return nil
}

// mountAll makes each mount of a table; one that fails does not stop the others.
func mountAll(table []Mount) error {
	var errs []error
	for _, m := range table {
		errs = append(errs, m.do())
	}
	return errors.Join(errs...)
}

// splitKnown tells the mounts that this kernel can do now from those that may
// take a module. Those without a mount point are left out: sysfs makes it when the
// feature is there. Asking is cheaper than trying: mount(2) of an unknown type has
// the kernel start a modprobe.
func splitKnown(table []Mount, filesystems string) (known, unknown []Mount) {
	types := map[string]bool{}
	for line := range strings.Lines(filesystems) {
		types[strings.TrimSpace(strings.TrimPrefix(line, "nodev"))] = true
	}
	for _, m := range table {
		if _, err := os.Stat(m.Target); err != nil {
			continue
		}
		if types[m.Type] {
			known = append(known, m)
		} else {
			unknown = append(unknown, m)
		}
	}
	return known, unknown
}

// shareRoot makes every mount shared, so that what a container mounts through an
// rshared bind is seen by all. It is a call of its own: the kernel ignores
// propagation flags beside others.
func shareRoot() error {
	return Mount{Target: "/", Flags: unix.MS_SHARED | unix.MS_REC}.do()
}

// protectRoot makes the root filesystem read-only. Where that fails something
// writes to it, as on a disk: LinuxKit leaves it alone then.
func protectRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount -o remount,ro /: %w", err)
	}
	return nil
}
