package attack

import (
	"golang.org/x/sys/unix"
)

var mounts = []Attack{
	{Name: "mount-tmpfs", What: "mount a tmpfs", Try: mounted("tmpfs", "")},
	{Name: "mount-bind", What: "bind mount", Try: boundTo("/proc")},
	{Name: "mount-proc", What: "mount another `/proc`, without masks", Try: mounted("proc", "")},
	{Name: "mount-sysfs", What: "mount another `/sys`", Try: mounted("sysfs", "")},
	{Name: "mount-devtmpfs", What: "mount the machine's `/dev`", Try: mounted("devtmpfs", "")},
	{Name: "mount-devpts", What: "mount another `devpts`", Try: mounted("devpts", "")},
	{Name: "mount-mqueue", What: "mount the machine's message queues", Try: mounted("mqueue", "")},
	{Name: "mount-cgroup2", What: "mount the machine's cgroups", Try: mounted("cgroup2", "")},
	{Name: "mount-cgroup1", What: "mount cgroup v1, for its `release_agent`", Try: mounted("cgroup", "none,name=probe")},
	{Name: "mount-debugfs", What: "mount debugfs", Try: mounted("debugfs", "")},
	{Name: "mount-tracefs", What: "mount tracefs", Try: mounted("tracefs", "")},
	{Name: "mount-securityfs", What: "mount securityfs", Try: mounted("securityfs", "")},
	{Name: "mount-bpf", What: "mount bpffs", Try: mounted("bpf", "")},
	{Name: "mount-binfmt", What: "mount binfmt_misc", Try: mounted("binfmt_misc", "")},
	{Name: "mount-overlay", What: "mount an overlay", Try: mounted("overlay", "lowerdir=/bin:/etc")},
	{Name: "mount-image", What: "have the kernel parse a hostile disk image (ext4)", Try: func() error {
		return past(mounted("ext4", "")(), unix.ENOTBLK, unix.EINVAL, unix.ENOENT, unix.EACCES)
	}},
	{Name: "mount-remount-root", What: "remount the root", Try: remounts("/")},
	{Name: "mount-propagate", What: "make the root shared, so that mounts reach others", Try: apart(func() error {
		return unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, "")
	})},
	{Name: "mount-move", What: "move `/proc` elsewhere", Try: apart(func() error {
		return unix.Mount("/proc", "/mnt", "", unix.MS_MOVE, "")
	})},
	{Name: "umount", What: "unmount `/sys`", Try: apart(func() error { return unix.Unmount("/sys", unix.MNT_DETACH) })},
	{Name: "fsopen", What: "new mount API: `fsopen`", Try: makes(unix.SYS_FSOPEN, text("tmpfs"), 0)},
	{Name: "open-tree", What: "new mount API: `open_tree` of a copy", Try: makes(unix.SYS_OPEN_TREE, atFdcwd, text("/"), unix.OPEN_TREE_CLONE)},
	{Name: "fspick", What: "new mount API: `fspick`", Try: makes(unix.SYS_FSPICK, atFdcwd, text("/"), 0)},
	{Name: "move-mount", What: "new mount API: `move_mount`", Try: func() error {
		_, err := call(unix.SYS_MOVE_MOUNT, atFdcwd, text("/nonesuch"), atFdcwd, text("/mnt"), 0)
		return past(err, unix.ENOENT)
	}},
	{Name: "mount-setattr", What: "new mount API: `mount_setattr`", Try: func() error {
		// A mount point that is none, so that nothing changes.
		_, err := call(unix.SYS_MOUNT_SETATTR, atFdcwd, text("/bin"), 0, block(make([]byte, 32)), 32)
		return past(err, unix.EINVAL)
	}},
}

// atFdcwd as a system call takes it.
var atFdcwd = minus(-unix.AT_FDCWD)

// apart does it in a mount namespace of its own, which ends with the process.
func apart(try func() error) func() error {
	return func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			return err
		}
		return try()
	}
}

// mounted mounts a file system where it hides nothing, and unmounts it.
func mounted(kind, data string) func() error {
	return func() error {
		if err := unix.Mount("none", "/mnt", kind, 0, data); err != nil {
			return err
		}
		return unix.Unmount("/mnt", unix.MNT_DETACH)
	}
}

func boundTo(source string) func() error {
	return func() error {
		err := unix.Mount(source, "/mnt", "", unix.MS_BIND, "")
		if err != nil {
			return err
		}
		return unix.Unmount("/mnt", unix.MNT_DETACH)
	}
}
