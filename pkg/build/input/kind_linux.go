package input

import (
	"slices"

	"golang.org/x/sys/unix"
)

// isPipe tells a pipe without a name of its own, whose other end is in some process
// already, from a FIFO in a directory.
func isPipe(name string) bool {
	var at unix.Statfs_t
	return unix.Statfs(name, &at) == nil && at.Type == unix.PIPEFS_MAGIC
}

// kernelTypes are filesystems whose regular files have no contents of their own:
// include/uapi/linux/magic.h, and what is not there from each one's source.
var kernelTypes = []int64{
	unix.ANON_INODE_FS_MAGIC, unix.BINFMTFS_MAGIC, unix.BPF_FS_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC,
	unix.DEBUGFS_MAGIC, unix.NSFS_MAGIC, unix.PROC_SUPER_MAGIC, unix.RDTGROUP_SUPER_MAGIC, unix.SECURITYFS_MAGIC,
	unix.SELINUX_MAGIC, unix.SMACK_MAGIC, unix.SYSFS_MAGIC, unix.TRACEFS_MAGIC,
	0x19800202, // mqueue
	0x62656570, // configfs
	0x65735543, // fusectl
}

// fromKernel tells a file of procfs, sysfs and the like.
func fromKernel(name string) bool {
	var at unix.Statfs_t
	return unix.Statfs(name, &at) == nil && slices.Contains(kernelTypes, int64(at.Type))
}
