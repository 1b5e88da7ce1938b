package attack

import (
	"os"

	"golang.org/x/sys/unix"
)

var namespaces = []Attack{
	{Name: "unshare-mnt", What: "a mount namespace of its own", Try: unshares(unix.CLONE_NEWNS)},
	{Name: "unshare-pid", What: "a PID namespace of its own", Try: unshares(unix.CLONE_NEWPID)},
	{Name: "unshare-net", What: "a network namespace of its own", Try: unshares(unix.CLONE_NEWNET)},
	{Name: "unshare-ipc", What: "an IPC namespace of its own", Try: unshares(unix.CLONE_NEWIPC)},
	{Name: "unshare-uts", What: "a UTS namespace of its own", Try: unshares(unix.CLONE_NEWUTS)},
	{Name: "unshare-cgroup", What: "a cgroup namespace of its own", Try: unshares(unix.CLONE_NEWCGROUP)},
	{Name: "unshare-time", What: "a time namespace of its own", Try: unshares(unix.CLONE_NEWTIME)},
	{Name: "userns", What: "a user namespace, with all capabilities in it", Try: within("nothing", unix.CLONE_NEWUSER)},
	{Name: "userns-clone3", What: "the same by `clone3`", Try: clone3User},
	{Name: "userns-mount", What: "mount a tmpfs in a user namespace", Try: within("mount", unix.CLONE_NEWUSER|unix.CLONE_NEWNS)},
	{Name: "userns-proc", What: "mount `/proc` without masks in a user namespace", Try: within("proc", unix.CLONE_NEWUSER|unix.CLONE_NEWNS|unix.CLONE_NEWPID)},
	{Name: "userns-overlay", What: "mount an overlay in a user namespace", Try: within("overlay", unix.CLONE_NEWUSER|unix.CLONE_NEWNS)},
	{Name: "userns-unmask", What: "unmount a mask in a user namespace", Try: within("unmask", unix.CLONE_NEWUSER|unix.CLONE_NEWNS)},
	{Name: "userns-nftables", What: "reach nftables through a user namespace", Try: within("nftables", unix.CLONE_NEWUSER|unix.CLONE_NEWNET)},
	{Name: "userns-link", What: "make network interfaces in a user namespace", Try: within("link", unix.CLONE_NEWUSER|unix.CLONE_NEWNET)},
	{Name: "userns-packet", What: "packet sockets in a user namespace", Try: within("packet", unix.CLONE_NEWUSER|unix.CLONE_NEWNET)},
	{Name: "userns-xfrm", What: "reach IPsec (XFRM) through a user namespace", Try: within("xfrm", unix.CLONE_NEWUSER|unix.CLONE_NEWNET)},
	{Name: "setns-mnt", What: "`setns` to `/proc/1/ns/mnt`", Try: enters("mnt", unix.CLONE_NEWNS)},
	{Name: "setns-pid", What: "`setns` to `/proc/1/ns/pid`", Try: enters("pid", unix.CLONE_NEWPID)},
	{Name: "setns-net", What: "`setns` to `/proc/1/ns/net`", Try: enters("net", unix.CLONE_NEWNET)},
	{Name: "setns-ipc", What: "`setns` to `/proc/1/ns/ipc`", Try: enters("ipc", unix.CLONE_NEWIPC)},
	{Name: "setns-uts", What: "`setns` to `/proc/1/ns/uts`", Try: enters("uts", unix.CLONE_NEWUTS)},
	{Name: "setns-cgroup", What: "`setns` to `/proc/1/ns/cgroup`", Try: enters("cgroup", unix.CLONE_NEWCGROUP)},
	{Name: "setns-user", What: "`setns` to `/proc/1/ns/user`", Try: enters("user", unix.CLONE_NEWUSER)},
	{Name: "ns-parent-pid", What: "the machine's PID namespace, as the parent of its own", Try: parent("pid", unix.NS_GET_PARENT)},
	{Name: "ns-parent-user", What: "the parent of its user namespace", Try: parent("user", unix.NS_GET_PARENT)},
	{Name: "ns-other", What: "the mount namespace of a process that is not in the container", Try: otherNamespace},
}

func unshares(flag int) func() error { return func() error { return unix.Unshare(flag) } }

// enters a namespace of the container's first process.
func enters(kind string, flag int) func() error {
	return func() error {
		fd, err := unix.Open("/proc/1/ns/"+kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if flag == unix.CLONE_NEWNS || flag == unix.CLONE_NEWUSER {
			// A thread that shares its root with others may not.
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return err
			}
		}
		return unix.Setns(fd, flag)
	}
}

// parent asks for a namespace that a namespace belongs to.
func parent(kind string, request uintptr) func() error {
	return func() error {
		fd, err := unix.Open("/proc/self/ns/"+kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		_, err = call(unix.SYS_IOCTL, uintptr(fd), request)
		return err
	}
}

// otherNamespace looks for a mount namespace that is not this container's.
func otherNamespace() error {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	return eachProcess(func(pid int) error {
		name := "/proc/" + itoa(pid) + "/ns/mnt"
		if theirs, err := os.Readlink(name); err != nil || theirs == ours {
			return unix.ESRCH
		}
		return opens(name, unix.O_RDONLY)()
	})
}

// clone3User makes a child, which ends at once.
func clone3User() error {
	args := make([]byte, 64)
	putUint64(args[0:], unix.CLONE_NEWUSER)
	putUint64(args[32:], uint64(unix.SIGCHLD))
	pid, errno := fork(unix.SYS_CLONE3, block(args), uintptr(len(args)), false)
	if errno != 0 {
		return errno
	}
	_, err := unix.Wait4(pid, nil, 0, nil)
	return err
}
