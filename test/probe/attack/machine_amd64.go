package attack

import "golang.org/x/sys/unix"

// machineOfArch are calls that x86 alone has.
var machineOfArch = []Attack{
	{Name: "ioperm", What: "I/O ports: `ioperm`", Try: calls(unix.SYS_IOPERM, 0x80, 1, 1)},
	{Name: "iopl", What: "all I/O ports: `iopl`", Try: calls(unix.SYS_IOPL, 3)},
	{Name: "modify-ldt", What: "segments of its own: `modify_ldt`", Try: calls(unix.SYS_MODIFY_LDT, 0, block(make([]byte, 64)), 64),
		Why: "It read its own table, which is empty; what a process writes to it concerns the process alone."},
	{Name: "uselib", What: "`uselib`", Try: calls(unix.SYS_USELIB, text("/nonesuch"))},
	{Name: "sysfs-call", What: "list file systems: `sysfs`", Try: calls(unix.SYS_SYSFS, 3),
		Why: "A number, which `/proc/filesystems` tells too."},
	{Name: "nfsservctl", What: "`nfsservctl`", Try: calls(unix.SYS_NFSSERVCTL, 0, 0, 0)},
	{Name: "ustat", What: "`ustat` of a device that it has not mounted", Try: func() error {
		_, err := call(unix.SYS_USTAT, 0, block(make([]byte, 64)))
		return past(err, unix.EINVAL)
	}, Why: "How full a file system is."},
}
