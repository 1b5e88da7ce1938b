package attack

import (
	"errors"
	"net"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a bystander has, a container of no capability that runs beside those that
// attack: see Bystander.
const (
	BystanderPort   = 7720
	bystanderSocket = "@probe-bystander"
	bystanderKey    = 0x70726f62
	bystanderQueue  = "/probe-bystander"
	bystanderFile   = "/mnt/bystander"
)

// Containers share the machine's network and IPC namespaces unless their YAML
// says otherwise, as in LinuxKit.
const sharedIPC = "The machine's IPC namespace is shared, as in LinuxKit; `ipc: new` gives the container one of its own."

var others = []Attack{
	{Name: "other-tcp", What: "connect to what another container serves on the loopback", Try: dials("tcp4", "127.0.0.1:7720"),
		Why: "The machine's network is shared, as in LinuxKit; `net: new` gives the container one of its own."},
	{Name: "other-abstract", What: "connect to another container's abstract socket", Try: dials("unix", bystanderSocket),
		Why: "Abstract names belong to the network namespace, which is shared; `net: new` closes it."},
	{Name: "other-shm", What: "read another container's System V memory", Try: otherMemory, Why: sharedIPC},
	{Name: "other-shm-remove", What: "remove another container's System V memory (opened only)", Try: func() error {
		id, err := unix.SysvShmGet(bystanderKey, 0, 0o600)
		if err != nil {
			return err
		}
		var status unix.SysvShmDesc
		_, err = unix.SysvShmCtl(id, unix.IPC_STAT, &status)
		return err
	}, Why: sharedIPC},
	{Name: "other-queue", What: "open another container's POSIX message queue", Try: func() error {
		fd, err := openQueue(bystanderQueue, unix.O_RDWR)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}, Why: sharedIPC},
	{Name: "other-key", What: "read the key that another container has left in root's keyring", Try: func() error {
		_, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", "probe-bystander", 0)
		if errors.Is(err, unix.ENOKEY) {
			return unix.ENOENT
		}
		return err
	}},
	{Name: "other-file", What: "see another container's files", Try: opens(bystanderFile, unix.O_RDONLY)},
	{Name: "other-shm-dir", What: "another container's files in `/dev/shm`", Try: opens("/dev/shm/bystander", unix.O_RDONLY)},
	{Name: "other-cgroup", What: "stop another container by its cgroup", Try: first("/sys/fs/cgroup/*/cgroup.freeze", writable)},
	{Name: "other-inotify", What: "use up root's watches: every `inotify` of the user", Try: useUpInotify},
	{Name: "other-pipes", What: "use up root's pipe buffers", Try: useUpPipes},
}

// Bystander makes what others then try to reach, and keeps it.
func Bystander() error {
	if _, err := net.Listen("tcp4", "127.0.0.1:"+itoa(BystanderPort)); err != nil {
		return err
	}
	if _, err := net.Listen("unix", bystanderSocket); err != nil {
		return err
	}
	if _, err := unix.SysvShmGet(bystanderKey, 4096, unix.IPC_CREAT|0o600); err != nil {
		return err
	}
	if _, err := openQueue(bystanderQueue, unix.O_RDWR|unix.O_CREAT); err != nil {
		return err
	}
	if _, err := unix.AddKey("user", "probe-bystander", []byte("x"), unix.KEY_SPEC_USER_KEYRING); err != nil {
		Detail("leave a key: %v", err)
	}
	return errors.Join(unix.Mkfifo(RuntimeWaits, 0o600), os.WriteFile(bystanderFile, nil, 0o644))
}

func dials(network, address string) func() error {
	return func() error {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func otherMemory() error {
	id, err := unix.SysvShmGet(bystanderKey, 0, 0o600)
	if err != nil {
		return err
	}
	b, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err != nil {
		return err
	}
	return unix.SysvShmDetach(b)
}

// openQueue is mq_open(3), whose names have no slash in the kernel.
func openQueue(name string, flags int) (int, error) {
	fd, err := call(unix.SYS_MQ_OPEN, text(strings.TrimPrefix(name, "/")), uintptr(flags|unix.O_CLOEXEC), 0o600, uintptr(unsafe.Pointer(nil)))
	return int(fd), err
}

// useUpInotify takes all that a user may have, and gives them back. The limit is
// one for root in all containers and the machine.
func useUpInotify() error {
	const most = 1024
	for range most {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if errors.Is(err, unix.EMFILE) {
			return nil
		}
		if err != nil {
			return err
		}
		defer unix.Close(fd)
	}
	return inside
}

// useUpPipes takes 64 MB of pipes, past which new ones of the same user hold a
// page or two.
func useUpPipes() error {
	const size, most = 1 << 20, 80
	for range most {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
		if _, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, size); errors.Is(err, unix.EPERM) {
			return nil // no more for this user
		} else if err != nil {
			return err
		}
	}
	return inside
}
