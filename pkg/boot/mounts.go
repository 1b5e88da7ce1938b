package boot

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
)

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
	procMount = []mount.Mount{
		{Source: "proc", Target: "/proc", Type: "proc", Flags: nodev | nosuid | noexec | relatime},
	}
	baseMounts = []mount.Mount{
		{Source: "tmpfs", Target: "/run", Type: "tmpfs", Flags: nodev | nosuid | noexec | relatime, Data: []string{"size=10%", "mode=755"}},
		{Source: "tmpfs", Target: "/tmp", Type: "tmpfs", Flags: nodev | nosuid | noexec | relatime, Data: []string{"size=10%", "mode=1777"}},
		{Source: "tmpfs", Target: "/var", Type: "tmpfs", Flags: nodev | nosuid | noexec | relatime, Data: []string{"size=50%", "mode=755"}},
		{Source: "dev", Target: "/dev", Type: "devtmpfs", Flags: nosuid | noexec | relatime, Data: []string{"size=10m", "nr_inodes=248418", "mode=755"}},
		{Source: "sysfs", Target: "/sys", Type: "sysfs", Flags: noexec | nosuid | nodev},
		mount.Output(machine.Run + "/" + machine.Output),
	}
	deviceMounts = []mount.Mount{
		{Source: "mqueue", Target: "/dev/mqueue", Type: "mqueue", Flags: noexec | nosuid | nodev},
		{Source: "shm", Target: "/dev/shm", Type: "tmpfs", Flags: noexec | nosuid | nodev, Data: []string{"mode=1777"}},
		{Source: "devpts", Target: "/dev/pts", Type: "devpts", Flags: noexec | nosuid, Data: []string{"gid=5", "mode=0620"}},
	}
	kernelMounts = []mount.Mount{
		{Source: "securityfs", Target: "/sys/kernel/security", Type: "securityfs", Flags: noexec | nosuid | nodev},
		{Source: "debugfs", Target: "/sys/kernel/debug", Type: "debugfs", Flags: noexec | nosuid | nodev},
		{Source: "configfs", Target: "/sys/kernel/config", Type: "configfs", Flags: noexec | nosuid | nodev},
		{Source: "fusectl", Target: "/sys/fs/fuse/connections", Type: "fusectl", Flags: noexec | nosuid | nodev},
		{Source: "selinuxfs", Target: "/sys/fs/selinux", Type: "selinuxfs", Flags: noexec | nosuid},
		{Source: "pstore", Target: "/sys/fs/pstore", Type: "pstore", Flags: noexec | nosuid | nodev},
		{Source: "efivarfs", Target: "/sys/firmware/efi/efivars", Type: "efivarfs", Flags: noexec | nosuid | nodev},
		{Source: "binfmt_misc", Target: "/proc/sys/fs/binfmt_misc", Type: "binfmt_misc", Flags: noexec | nosuid | nodev},
		{Source: "bpf", Target: "/sys/fs/bpf", Type: "bpf", Flags: nodev},
	}
)

// mountAll makes each mount of a table, and its mount point if need be. One that
// fails does not stop the others.
func mountAll(table []mount.Mount) error {
	var errs []error
	for _, m := range table {
		if _, err := os.Stat(m.Target); err != nil {
			if err := os.MkdirAll(m.Target, 0o755); err != nil {
				errs = append(errs, fmt.Errorf("make mount point: %w", err))
				continue
			}
		}
		errs = append(errs, m.Do())
	}
	return errors.Join(errs...)
}

// splitKnown tells the mounts that this kernel can do now from those that may
// take a module. Those without a mount point are left out: sysfs makes it when the
// feature is there. Asking is cheaper than trying: mount(2) of an unknown type has
// the kernel start a modprobe.
func splitKnown(table []mount.Mount, filesystems string) (known, unknown []mount.Mount) {
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
	return mount.Mount{Target: "/", Flags: unix.MS_SHARED | unix.MS_REC}.Do()
}

// protectRoot makes the root filesystem read-only. Where that fails something
// writes to it, as on a disk: LinuxKit leaves it alone then.
func protectRoot() error {
	err := mount.Mount{Target: "/", Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do()
	if errors.Is(err, unix.EBUSY) {
		return nil
	}
	return err
}
