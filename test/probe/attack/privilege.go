package attack

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var privileges = []Attack{
	{Name: "setuid-program", What: "become root by a set-uid program", Try: setuidProgram},
	{Name: "file-capabilities", What: "give a program capabilities of which the container has none", Try: fileCapabilities},
	{Name: "setuid", What: "become another user: `setuid`", Try: func() error { return syscall.Setuid(12345) }},
	{Name: "setgid", What: "become another group: `setgid`", Try: func() error { return syscall.Setgid(12345) }},
	{Name: "setgroups", What: "take other groups: `setgroups`", Try: func() error { return syscall.Setgroups([]int{12345}) }},
	{Name: "capset", What: "add a capability: `capset`", Try: addCapability},
	{Name: "bounding-set", What: "drop from the bounding set", Try: func() error { return unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_WAKE_ALARM, 0, 0, 0) }},
	{Name: "securebits", What: "change the secure bits", Try: func() error { return unix.Prctl(unix.PR_SET_SECUREBITS, 1, 0, 0, 0) }},
	{Name: "nice", What: "go ahead of others: `nice -10`", Try: func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -10) }},
	{Name: "realtime", What: "a real-time priority: `SCHED_FIFO`", Try: func() error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	}},
	{Name: "deadline", What: "a reserved share of a processor: `SCHED_DEADLINE`", Try: func() error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Runtime: 1e6, Deadline: 1e8, Period: 1e8}, 0)
	}},
	{Name: "ioprio", What: "a real-time priority for disks: `ioprio_set`", Try: calls(unix.SYS_IOPRIO_SET, 1, 0, 1<<13)},
	{Name: "oom-score", What: "be spared when memory is short: `oom_score_adj` -1000", Try: func() error { return writeTo("/proc/self/oom_score_adj", []byte("-1000")) }},
	{Name: "rlimit-files", What: "raise the limit of open files", Try: raises(unix.RLIMIT_NOFILE)},
	{Name: "rlimit-core", What: "raise the limit of core dumps", Try: raises(unix.RLIMIT_CORE),
		Why: "Dumps go to the working directory in the container, and count as its files."},
	{Name: "rlimit-memlock", What: "raise the limit of locked memory", Try: raises(unix.RLIMIT_MEMLOCK)},
	{Name: "mlock", What: "lock 16 MB in memory", Try: lockMemory},
	{Name: "huge-shm", What: "huge pages of System V", Try: func() error {
		id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 2<<20, unix.IPC_CREAT|0o600|0o4000)
		if err != nil {
			return past(err, unix.ENOMEM)
		}
		_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		return err
	}, Why: "They come from a pool that is empty unless the operator fills it."},
	{Name: "wake-alarm", What: "wake the machine from sleep: `CLOCK_BOOTTIME_ALARM`", Try: func() error {
		fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME_ALARM, unix.TFD_CLOEXEC)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}},
	{Name: "personality", What: "turn off its address randomisation: `personality`", Try: calls(unix.SYS_PERSONALITY, 0x0040000),
		Why: "For itself and its children."},
	{Name: "personality-exec", What: "make all readable memory executable: `personality`", Try: calls(unix.SYS_PERSONALITY, 0x0400000),
		Why: "For itself and its children."},
	{Name: "prctl-mm", What: "forge its own command line: `PR_SET_MM`", Try: func() error {
		return past(unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_BRK, 0, 0, 0), unix.EINVAL)
	}},
	{Name: "loginuid", What: "forge who has logged in: `loginuid`", Try: func() error {
		return rewrites("/proc/thread-self/loginuid")()
	}, Why: "For itself and its children; nothing of Slipway reads it."},
	{Name: "subreaper", What: "collect orphans: `PR_SET_CHILD_SUBREAPER`", Try: func() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) },
		Why: "Orphans of the container only; the machine's end at PID 1."},
}

// setuidProgram runs the copy of this program that belongs to root and is
// set-uid. Root's own containers gain nothing by it.
func setuidProgram() error {
	if os.Geteuid() == 0 {
		return inside
	}
	return runStep(nil, "/bin/probe-setuid", "root")
}

func isRoot() error {
	if os.Geteuid() != 0 {
		return unix.EPERM
	}
	return nil
}

// fileCapabilities marks a copy of this program with CAP_SYS_ADMIN.
func fileCapabilities() error {
	return onScratch(func(name string) error {
		mark := make([]byte, 20)
		putUint32(mark[0:], 0x02000001) // version 2, effective
		putUint32(mark[4:], 1<<unix.CAP_SYS_ADMIN)
		if err := unix.Setxattr(name, "security.capability", mark, 0); err != nil {
			return err
		}
		program, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			return err
		}
		const copied = "/mnt/marked"
		defer gone(copied)
		if err := os.WriteFile(copied, program, 0o700); err != nil {
			return err
		}
		if err := unix.Setxattr(copied, "security.capability", mark, 0); err != nil {
			return err
		}
		return runStep(nil, copied, "nothing")
	})
}

func addCapability() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	had := sets[0].Effective & (1 << unix.CAP_SYS_ADMIN)
	sets[0].Permitted |= 1 << unix.CAP_SYS_ADMIN
	sets[0].Effective |= 1 << unix.CAP_SYS_ADMIN
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return err
	}
	if had != 0 {
		return inside // it had it before
	}
	return nil
}

// raises a hard limit by one, for this process.
func raises(resource int) func() error {
	return func() error {
		var limit unix.Rlimit
		if err := unix.Getrlimit(resource, &limit); err != nil {
			return err
		}
		if limit.Max == unix.RLIM_INFINITY {
			return nil
		}
		limit.Max++
		return unix.Setrlimit(resource, &limit)
	}
}

func lockMemory() error {
	b, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	return errors.Join(unix.Mlock(b), unix.Munmap(b))
}
