package attack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var devices = []Attack{
	{Name: "dev-listed", What: "a device node that is not among the standard ones", Try: strangeNode},
	{Name: "mknod-char", What: "make the node of a character device", Try: node(unix.S_IFCHR, "1", 1, -1)},
	{Name: "mknod-block", What: "make the node of a disk", Try: node(unix.S_IFBLK, "virtblk", 0, -1)},
	{Name: "dev-disk", What: "make the node of a disk, and open it", Try: node(unix.S_IFBLK, "virtblk", 0, unix.O_RDWR)},
	{Name: "dev-root", What: "the loop device of the root file system", Try: node(unix.S_IFBLK, "loop", 0, unix.O_RDONLY)},
	{Name: "dev-loop-control", What: "`loop-control`: new loop devices", Try: node(unix.S_IFCHR, "10", 237, unix.O_RDWR)},
	{Name: "dev-mapper", What: "`mapper/control`: the device mapper", Try: node(unix.S_IFCHR, "10", 236, unix.O_RDWR)},
	{Name: "dev-mem", What: "`mem`: physical memory", Try: node(unix.S_IFCHR, "1", 1, unix.O_RDWR)},
	{Name: "dev-port", What: "`port`: I/O ports", Try: node(unix.S_IFCHR, "1", 4, unix.O_RDWR)},
	{Name: "dev-kmsg", What: "`kmsg`: write into the kernel's log", Try: node(unix.S_IFCHR, "1", 11, unix.O_WRONLY)},
	{Name: "dev-msr", What: "`cpu/0/msr`: registers of the processor", Try: node(unix.S_IFCHR, "202", 0, unix.O_RDWR)},
	{Name: "dev-nvram", What: "`nvram`: memory of the firmware", Try: node(unix.S_IFCHR, "10", 144, unix.O_RDWR)},
	{Name: "dev-hwrng", What: "`hwrng`: the random number generator's hardware", Try: node(unix.S_IFCHR, "10", 183, unix.O_RDONLY)},
	{Name: "dev-rtc", What: "`rtc0`: the clock's hardware", Try: node(unix.S_IFCHR, "rtc", 0, unix.O_RDONLY)},
	{Name: "dev-watchdog", What: "`watchdog`, which resets the machine when it is left", Try: node(unix.S_IFCHR, "10", 130, -2)},
	{Name: "dev-console", What: "the machine's console", Try: node(unix.S_IFCHR, "5", 1, unix.O_RDWR)},
	{Name: "dev-serial", What: "the machine's serial port", Try: node(unix.S_IFCHR, "4", 64, unix.O_RDWR)},
	{Name: "dev-tty0", What: "the machine's keyboard and screen", Try: node(unix.S_IFCHR, "4", 0, unix.O_RDWR)},
	{Name: "dev-vcs", What: "`vcs`: what the screen shows", Try: node(unix.S_IFCHR, "7", 0, unix.O_RDONLY)},
	{Name: "dev-input", What: "`input/event0`: keys and the power button", Try: node(unix.S_IFCHR, "13", 64, unix.O_RDWR)},
	{Name: "dev-uinput", What: "`uinput`: a power button of one's own", Try: node(unix.S_IFCHR, "10", 223, unix.O_RDWR)},
	{Name: "dev-port-virtio", What: "`vport`: the line to the host that carries reports", Try: virtioPort},
	{Name: "dev-fuse", What: "`fuse`: file systems of one's own", Try: node(unix.S_IFCHR, "10", 229, unix.O_RDWR)},
	{Name: "dev-tun", What: "`net/tun`: network interfaces of one's own", Try: node(unix.S_IFCHR, "10", 200, unix.O_RDWR)},
	{Name: "dev-kvm", What: "`kvm`: virtual machines", Try: node(unix.S_IFCHR, "10", 232, unix.O_RDWR)},
	{Name: "dev-vhost", What: "`vhost-net`", Try: node(unix.S_IFCHR, "10", 238, unix.O_RDWR)},
	{Name: "dev-userfaultfd", What: "`userfaultfd` of the kernel", Try: node(unix.S_IFCHR, "10", 126, unix.O_RDWR)},
	{Name: "dev-autofs", What: "`autofs`", Try: node(unix.S_IFCHR, "10", 235, unix.O_RDWR)},
	{Name: "dev-snapshot", What: "`snapshot`: all memory, for hibernation", Try: node(unix.S_IFCHR, "10", 231, unix.O_RDONLY)},
	{Name: "dev-pts", What: "another terminal: `pts/0` of the machine's `devpts`", Try: func() error { return anyPts("/dev/pts") }},
	{Name: "tty-own", What: "a terminal of its own from `ptmx`", Try: opens("/dev/ptmx", unix.O_RDWR),
		Why: "The container has a devpts of its own; the number of terminals is bounded for each container and for all."},
	{Name: "tty-inject", What: "type into a terminal by `TIOCSTI`", Try: onTerminal(unix.TIOCSTI)},
	{Name: "tty-console", What: "take the machine's console messages by `TIOCCONS`", Try: onTerminal(unix.TIOCCONS)},
	{Name: "tty-ldisc", What: "load a line discipline with a history of faults (`N_HDLC`)", Try: lineDiscipline},
}

// node makes a device node and opens it, unless flags are -1: that proves the
// one, or both. With -2 it is only asked whether the cgroup would let it be read.
// The major number is one, or the driver's name in /proc/devices.
func node(kind uint32, major string, minor uint32, flags int) func() error {
	return func() error {
		n, err := majorOf(kind, major)
		if err != nil {
			return err
		}
		const name = "/mnt/node"
		if err := unix.Mknod(name, kind|0o600, int(unix.Mkdev(n, minor))); err != nil {
			return err
		}
		defer gone(name)
		switch flags {
		case -1:
			return nil
		case -2:
			return unix.Access(name, unix.R_OK)
		}
		return opens(name, flags)()
	}
}

// majorOf looks a driver up in the list of its kind.
func majorOf(kind uint32, name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	list, err := os.ReadFile("/proc/devices")
	if err != nil {
		return 0, err
	}
	chars, blocks, _ := strings.Cut(string(list), "Block devices:")
	if kind == unix.S_IFBLK {
		chars = blocks
	}
	for line := range strings.Lines(chars) {
		if words := strings.Fields(line); len(words) == 2 && words[1] == name {
			n, err := strconv.ParseUint(words[0], 10, 32)
			return uint32(n), err
		}
	}
	return 0, unix.ENODEV
}

func virtioPort() error {
	err := error(unix.ENXIO)
	for minor := range uint32(4) {
		if err = node(unix.S_IFCHR, "virtio-portsdev", minor, unix.O_RDWR)(); err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENXIO) {
			return err
		}
	}
	return err
}

// standard are the nodes that runtimes make.
var standard = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/pts/ptmx",
}

func strangeNode() error {
	found := error(unix.ENOENT)
	err := filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeDevice != 0 && !slices.Contains(standard, path) {
			Detail("%s is there", path)
			found = nil
		}
		return nil
	})
	return errors.Join(err, found)
}

func anyPts(dir string) error {
	return first(dir+"/[0-9]*", opensBoth)()
}

// openTerminal opens a new terminal's slave side.
func openTerminal() (master, slave int, err error) {
	if master, err = unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
		return -1, -1, err
	}
	if _, err = call(unix.SYS_IOCTL, uintptr(master), unix.TIOCSPTLCK, block(make([]byte, 4))); err != nil {
		return -1, -1, err
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return -1, -1, err
	}
	slave, err = unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	return master, slave, err
}

// onTerminal asks a terminal that is not the process's own. What it has done
// ends when the terminal is closed.
func onTerminal(request uintptr) func() error {
	return func() error {
		master, slave, err := openTerminal()
		if err != nil {
			return err
		}
		defer unix.Close(master)
		defer unix.Close(slave)
		_, err = call(unix.SYS_IOCTL, uintptr(slave), request, block([]byte("x")))
		return err
	}
}

func lineDiscipline() error {
	master, slave, err := openTerminal()
	if err != nil {
		return err
	}
	defer unix.Close(master)
	defer unix.Close(slave)
	const hdlc = 13
	err = unix.IoctlSetPointerInt(slave, unix.TIOCSETD, hdlc)
	if errors.Is(err, unix.EINVAL) {
		return unix.ENOENT // the kernel has looked for the module
	}
	return err
}
