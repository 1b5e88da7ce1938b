package attack

import (
	"os"

	"golang.org/x/sys/unix"
)

var files = []Attack{
	{Name: "dac-read", What: "read a file that is closed to its owner too", Try: func() error {
		return onScratch(func(name string) error {
			if err := os.Chmod(name, 0); err != nil {
				return err
			}
			return opens(name, unix.O_RDONLY)()
		})
	}},
	{Name: "shadow-read", What: "read a file of root's that is closed to others", Try: opens("/etc/probe-secret", unix.O_RDONLY),
		Why: "The container runs as root, whose file it is; it lies in the container's own image."},
	{Name: "chown", What: "give a file to another user", Try: func() error {
		return onScratch(func(name string) error { return os.Chown(name, 12345, 12345) })
	}},
	{Name: "chattr-immutable", What: "make a file immutable", Try: func() error {
		const immutable = 0x10 // FS_IMMUTABLE_FL
		return onScratch(func(name string) error {
			fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
			if err != nil {
				return err
			}
			if err := unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|immutable); err != nil {
				return err
			}
			return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags)
		})
	}},
	{Name: "setuid-bit", What: "leave a set-uid program of root's", Try: func() error {
		return onScratch(func(name string) error { return os.Chmod(name, os.ModeSetuid|0o755) })
	}, Why: "It lies in the container's own layer, which no other container sees and which is gone with it."},
	{Name: "security-xattr", What: "set `security.*` attributes", Try: func() error {
		return onScratch(func(name string) error { return unix.Setxattr(name, "security.probe", []byte("y"), 0) })
	}, Why: "No security module of the kernel reads it. `security.capability` is looked at by itself: *give a program capabilities*."},
	{Name: "mknod-whiteout", What: "make an overlay's whiteout (a device 0:0)", Try: node(unix.S_IFCHR, "0", 0, -1),
		Why: "The kernel allows it to all since 5.8; it hides a file of the container's own root."},
	{Name: "mkfifo", What: "make a named pipe", Try: func() error {
		if err := unix.Mkfifo("/mnt/pipe", 0o600); err != nil {
			return err
		}
		return os.Remove("/mnt/pipe")
	}, Why: "In its own layer."},
	{Name: "write-image", What: "change a file of its image", Try: writable("/etc/probe-secret"),
		Why: "The change goes to the container's own layer; the image lies on a read-only file system."},
	{Name: "link-proc-exe", What: "overwrite the program that runs, through `/proc/self/exe`", Try: writable("/proc/self/exe")},
	{Name: "proc-self-mem", What: "change its own read-only code, through `/proc/self/mem`", Try: opens("/proc/self/mem", unix.O_RDWR),
		Why: "The process's own memory: what it changes is a copy."},
	{Name: "memfd-exec", What: "run a program that lies in no file (`memfd_create`)", Try: makes(unix.SYS_MEMFD_CREATE, text("probe"), 0),
		Why: "A container may run what it likes; memory is counted to its cgroup."},
	{Name: "freeze", What: "freeze the file system (`FIFREEZE`)", Try: func() error {
		// Asked of a pipe, which cannot be frozen; the permission comes first.
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		const fifreeze = 0xc0045877
		_, err := call(unix.SYS_IOCTL, uintptr(p[0]), fifreeze, 0)
		return past(err, unix.EOPNOTSUPP)
	}},
	{Name: "sync", What: "have all disks of the machine written: `sync`", Try: func() error { unix.Sync(); return nil },
		Why: "It takes time of the disks and loses nothing; there is no limit of the kernel's for it."},
}
