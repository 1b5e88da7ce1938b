package attack

import (
	"os"

	"golang.org/x/sys/unix"
)

// Calls that concern the whole machine. Those that would end it are made with
// arguments that the kernel refuses after it has checked the permission.
var machine = append([]Attack{
	{Name: "reboot", What: "`reboot` (with a wrong magic number)", Try: func() error {
		_, err := call(unix.SYS_REBOOT, 0, 0, unix.LINUX_REBOOT_CMD_RESTART, 0)
		return past(err, unix.EINVAL)
	}},
	{Name: "kexec-load", What: "start another kernel: `kexec_load` (of nothing)", Try: calls(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0)},
	{Name: "kexec-file-load", What: "`kexec_file_load` (of no file)", Try: func() error {
		_, err := call(unix.SYS_KEXEC_FILE_LOAD, minus(1), minus(1), 0, 0, 0)
		return past(err, unix.EBADF)
	}},
	{Name: "init-module", What: "load a module: `init_module` (of no bytes)", Try: func() error {
		return past(unix.InitModule(nil, ""), unix.ENOEXEC, unix.EFAULT)
	}},
	{Name: "finit-module", What: "load a module from a file: `finit_module` (of no file)", Try: func() error {
		return past(unix.FinitModule(-1, "", 0), unix.EBADF)
	}},
	{Name: "delete-module", What: "take out a module (that is not there)", Try: func() error {
		return past(unix.DeleteModule("nonesuch", unix.O_NONBLOCK), unix.ENOENT)
	}},
	{Name: "module-autoload", What: "have the kernel load a module: an unknown file system", Try: func() error {
		return past(unix.Mount("none", "/mnt", "nonesuchfs", 0, ""), unix.ENODEV)
	}},
	{Name: "swapon", What: "`swapon` (of no file)", Try: func() error {
		_, err := call(unix.SYS_SWAPON, text("/nonesuch"), 0)
		return past(err, unix.ENOENT)
	}},
	{Name: "swapoff", What: "`swapoff` (of no file)", Try: func() error {
		_, err := call(unix.SYS_SWAPOFF, text("/nonesuch"))
		return past(err, unix.ENOENT)
	}},
	{Name: "acct", What: "process accounting: `acct`", Try: func() error {
		_, err := call(unix.SYS_ACCT, 0)
		return err
	}},
	{Name: "syslog-read", What: "read the kernel's log: `syslog`", Try: func() error {
		_, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, make([]byte, 64))
		return err
	}},
	{Name: "syslog-size", What: "ask for the size of the kernel's log", Try: func() error {
		_, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
		return err
	}},
	{Name: "syslog-console", What: "turn on the kernel's messages on the console: `syslog`", Try: func() error {
		_, err := unix.Klogctl(unix.SYSLOG_ACTION_CONSOLE_ON, nil)
		return err
	}},
	{Name: "clock-settime", What: "set the clock (to what it shows)", Try: func() error {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
			return err
		}
		_, err := call(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, pointer(&now))
		return err
	}},
	{Name: "settimeofday", What: "set the time zone: `settimeofday`", Try: calls(unix.SYS_SETTIMEOFDAY, 0, block(make([]byte, 8)))},
	{Name: "adjtimex", What: "the clock's rate: `adjtimex`", Try: func() error {
		var t unix.Timex
		if _, err := unix.Adjtimex(&t); err != nil {
			return err
		}
		t.Modes = 0x4000 // ADJ_TICK, as it is
		_, err := unix.Adjtimex(&t)
		return err
	}},
	{Name: "sethostname", What: "the machine's host name: `sethostname`", Try: func() error {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		return unix.Sethostname([]byte(name))
	}},
	{Name: "setdomainname", What: "the machine's NIS domain: `setdomainname`", Try: func() error {
		return unix.Setdomainname([]byte("(none)"))
	}},
	{Name: "vhangup", What: "hang up the terminal: `vhangup`", Try: calls(unix.SYS_VHANGUP)},
	{Name: "lookup-dcookie", What: "paths of other processes' programs: `lookup_dcookie`", Try: func() error {
		_, err := call(unix.SYS_LOOKUP_DCOOKIE, 0, block(make([]byte, 64)), 64)
		return past(err, unix.EINVAL)
	}},
	{Name: "fanotify", What: "watch the files of all: `fanotify`", Try: func() error {
		fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC, unix.O_RDONLY)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN, unix.AT_FDCWD, "/")
	}},
	{Name: "fanotify-own", What: "watch one file by `fanotify`", Try: func() error {
		fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_FID|unix.FAN_CLOEXEC, unix.O_RDONLY)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return past(unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN, unix.AT_FDCWD, Program), unix.ENODEV, unix.EOPNOTSUPP, unix.EXDEV)
	}, Why: "It tells of files that the container can open, like inotify."},
}, machineOfArch...)
