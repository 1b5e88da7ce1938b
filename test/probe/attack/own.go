package attack

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const ownSocket = "The socket is the container's own: it says when this container is ready, to nobody else. What is no such word is dropped."

var own = []Attack{
	{Name: "control-socket", What: "the supervisor's control socket", Try: anyOf("/run/slipway/control.sock", "/dev/slipway/control.sock", "/proc/1/root/run/slipway/control.sock")},
	{Name: "control-bound", What: "the control socket, bound in, by a user who is not root", Try: useControl},
	{Name: "run-slipway", What: "files of the supervisor in `/run/slipway`", Try: reads("/run/slipway/journal")},
	{Name: "runc-state", What: "the runtime's state in `/run/runc`", Try: reads("/run/runc")},
	{Name: "bundles", What: "bundles of all containers in `/containers`", Try: reads("/containers")},
	{Name: "abstract-any", What: "an abstract socket of Slipway's", Try: abstractSockets},
	{Name: "path-sockets", What: "a socket of the machine, by its path in `/proc/net/unix`", Try: pathSockets},
	{Name: "notify-say", What: "flood the readiness socket with 1,000 messages, empty ones among them", Try: floodNotify, Why: ownSocket},
	{Name: "notify-fds", What: "leave descriptors in the readiness socket", Try: leaveDescriptors, Why: ownSocket + " Descriptors are closed as they come."},
	{Name: "notify-replace", What: "replace the readiness socket", Try: func() error { return os.Remove(os.Getenv("NOTIFY_SOCKET")) }},
	{Name: "notify-beside", What: "write into the machine's `/run`, beside the readiness socket", Try: func() error {
		name := filepath.Dir(os.Getenv("NOTIFY_SOCKET")) + "/probe"
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			return err
		}
		return os.Remove(name)
	}},
	{Name: "notify-remount", What: "the same after a remount", Try: remountNotify},
	{Name: "log-read", What: "read what is on its way from its own output to the log", Try: opens("/proc/self/fd/2", unix.O_RDONLY),
		Why: "The pipe is the container's own; what it takes out of it, it takes out of its own log."},
	{Name: "log-others", What: "logs of other containers", Try: reads("/var/log/bystander.log")},
	{Name: "descriptors", What: "descriptors that the runtime or Slipway has left open", Try: leftDescriptors},
	{Name: "environment", What: "variables of the machine in the environment", Try: leftVariables},
	{Name: "runtime-program", What: "have the runtime run in the container, and overwrite its program through `/proc/PID/exe` once it has ended", Try: func() error { return eachProcess(overwriteRuntime) }},
	{Name: "init-program", What: "overwrite the container's first program, through `/proc/1/exe`", Try: writable("/proc/1/exe")},
	{Name: "cgroup-procs", What: "leave its cgroup", Try: writable("/sys/fs/cgroup/cgroup.procs")},
	{Name: "cgroup-limits", What: "raise its own limits", Try: ownCgroup("pids.max", writable)},
	{Name: "cgroup-kill", What: "kill by `cgroup.kill`", Try: ownCgroup("cgroup.kill", writable)},
	{Name: "cgroup-parent", What: "the limits of the cgroup above its own", Try: ownCgroup("../pids.max", writable)},
	{Name: "cgroup-new", What: "make a cgroup", Try: func() error {
		if err := os.Mkdir("/sys/fs/cgroup/probe", 0o755); err != nil {
			return err
		}
		return os.Remove("/sys/fs/cgroup/probe")
	}},
	{Name: "cgroup-remount", What: "make its cgroup writable by a remount", Try: remountsAs("/sys/fs/cgroup")},
	{Name: "cgroup-tree", What: "see the cgroups of all containers", Try: first("/sys/fs/cgroup/*/cgroup.procs", reads)},
	{Name: "cgroup-path", What: "tell its place among the machine's cgroups: `/proc/self/cgroup`", Try: says("/proc/self/cgroup", func(s string) bool { return !strings.Contains(s, "0::/\n") }),
		Why: "A name, and its own."},
	{Name: "kernel-command-line", What: "read the kernel's command line", Try: reads("/proc/cmdline"),
		Why: "Every process of every machine may; no secret belongs there."},
}

// anyOf tries to reach one of several sockets.
func anyOf(paths ...string) func() error {
	return func() error {
		last := error(unix.ENOENT)
		for _, p := range paths {
			if last = dials("unix", p)(); last == nil {
				return nil
			}
		}
		return last
	}
}

// BoundControl is where a container has the control socket that is bound into it.
const BoundControl = "/control.sock"

// useControl asks the control socket where a test has bound it in.
func useControl() error {
	c, err := net.Dial("unix", BoundControl)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /v1/services HTTP/1.1\r\nHost: slipway\r\n\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := c.Read(answer)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200 ") {
		return unix.EACCES
	}
	return nil
}

// localSockets are the names in /proc/net/unix that begin with a character.
func localSockets(begin string) ([]string, error) {
	data, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if name := f[len(f)-1]; len(f) == 8 && strings.HasPrefix(name, begin) && name != bystanderSocket {
			list = append(list, name)
		}
	}
	return list, nil
}

func abstractSockets() error {
	list, err := localSockets("@")
	if err != nil {
		return err
	}
	for _, name := range list {
		Detail("abstract socket %s", name)
		return nil
	}
	return unix.ENOENT
}

func pathSockets() error {
	list, err := localSockets("/")
	if err != nil {
		return err
	}
	last := error(unix.ENOENT)
	for _, name := range list {
		if name == os.Getenv("NOTIFY_SOCKET") || strings.Contains(name, "/notify/") {
			continue
		}
		if last = dials("unix", name)(); last == nil {
			Detail("socket %s", name)
			return nil
		}
	}
	return last
}

// notify sends to the readiness socket. It never says that this container is ready.
func notify(message string, rights []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Sendmsg(fd, []byte(message), rights, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0)
	return past(err, unix.EAGAIN) // its queue is full
}

func floodNotify() error {
	for i := range 1000 {
		if err := notify([]string{"", "STATUS=x", "MAINPID=1", "READY=0", "\x00", strings.Repeat("y", 2000)}[i%6], nil); err != nil {
			return err
		}
	}
	return nil
}

func leaveDescriptors() error {
	for range 50 {
		if err := notify("FDSTORE=1", unix.UnixRights(0, 1, 2)); err != nil {
			return err
		}
	}
	return nil
}

func remountNotify() error {
	return remountsAs(filepath.Dir(os.Getenv("NOTIFY_SOCKET")))()
}

// remountsAs makes a mount writable, and leaves its other flags.
func remountsAs(path string) func() error {
	return apart(func() error {
		return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	})
}

// leftDescriptors looks for those that would be open in a program of the
// container's: beside 0, 1 and 2 none.
func leftDescriptors() error {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range list {
		if slices.Contains([]string{"0", "1", "2"}, entry.Name()) {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // the one that read the list
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + entry.Name())
		if err != nil {
			continue
		}
		if !closesOnExec(string(info)) {
			Detail("descriptor %s is %s", entry.Name(), target)
			return nil
		}
	}
	return unix.ENOENT
}

// closesOnExec reads the flags of /proc/PID/fdinfo, which are octal.
func closesOnExec(info string) bool {
	for line := range strings.Lines(info) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			flags = strings.TrimSpace(flags)
			return len(flags) >= 7 && (flags[len(flags)-7]-'0')&2 != 0
		}
	}
	return false
}

// leftVariables looks for variables beside those of the image and its YAML.
func leftVariables() error {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"PATH", "HOME", "HOSTNAME", "TERM", "NOTIFY_SOCKET"}, name) {
			Detail("variable %s", name)
			return nil
		}
	}
	return unix.ENOENT
}

// ownCgroup tries a file of the process's own cgroup, whether the whole tree is
// to be seen or only that part.
func ownCgroup(name string, try func(path string) func() error) func() error {
	return func() error {
		data, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return err
		}
		last := error(unix.ENOENT)
		for line := range strings.Lines(string(data)) {
			hierarchy, path, _ := strings.Cut(strings.TrimSpace(line), ":")
			_, path, _ = strings.Cut(path, ":")
			if hierarchy != "0" {
				continue
			}
			for _, at := range []string{filepath.Join("/sys/fs/cgroup", path), "/sys/fs/cgroup"} {
				if last = try(filepath.Join(at, name))(); !errors.Is(last, unix.ENOENT) {
					return last
				}
			}
		}
		return last
	}
}

// RuntimeWaits is the pipe at which the runtime waits that a test has started in
// the container.
const RuntimeWaits = "/mnt/wait"

// overwriteRuntime leaves alone what is still on its way into the container: that
// has the arguments of the runtime's init, and its program cannot be looked at.
func overwriteRuntime(pid int) error {
	args, err := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Split(string(args), "\x00"), RuntimeWaits) {
		return unix.ESRCH
	}
	return overwriteProgram(pid)
}

// overwriteProgram keeps hold of a process's program, ends the process and
// opens the program for writing, which is refused while it runs.
func overwriteProgram(pid int) error {
	at, err := unix.Open("/proc/"+itoa(pid)+"/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, -1); err != nil {
		return err
	}
	return writable("/proc/self/fd/" + itoa(at))()
}
