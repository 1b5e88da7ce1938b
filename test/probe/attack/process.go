package attack

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var processes = []Attack{
	{Name: "see-others", What: "see a process of the machine or of another container", Try: func() error { return eachProcess(func(int) error { return nil }) }},
	{Name: "signal-others", What: "signal any process: all numbers up to 32768", Try: signalAll},
	{Name: "signal-init", What: "kill PID 1 of the machine", Try: signalInit},
	{Name: "read-others", What: "read another process's memory: `process_vm_readv`", Try: func() error { return eachProcess(readMemory) }},
	{Name: "proc-mem-others", What: "write another process's memory: `/proc/PID/mem`", Try: func() error {
		return eachProcess(func(pid int) error { return opens("/proc/"+itoa(pid)+"/mem", unix.O_RDWR)() })
	}},
	{Name: "environ-others", What: "read another process's environment", Try: func() error {
		return eachProcess(func(pid int) error { return reads("/proc/" + itoa(pid) + "/environ")() })
	}},
	{Name: "ptrace-own", What: "`ptrace` of a process in the same container", Try: traceChild,
		Why: "It reaches what the container could do anyway: the process is its own."},
	{Name: "ptrace-init", What: "`ptrace` of the container's first process", Try: seizeInit,
		Why: "The first process of the container is its own program."},
	{Name: "pidfd-getfd", What: "take a descriptor out of the container's first process: `pidfd_getfd`", Try: takeDescriptor,
		Why: "The descriptors of its first process are those that the container was given."},
	{Name: "process-madvise", What: "`process_madvise` of the container's first process", Try: adviseInit,
		Why: "Advice about the memory of the container's own process."},
	{Name: "kcmp", What: "`kcmp`: order of addresses in the kernel", Try: func() error {
		_, err := call(unix.SYS_KCMP, uintptr(os.Getpid()), 1, 1, 0, 0)
		return err
	}, Why: "The order is scrambled by a secret of the boot, and only own processes are compared."},
	{Name: "get-robust-list", What: "`get_robust_list` of the container's first process", Try: calls(unix.SYS_GET_ROBUST_LIST, 1, block(make([]byte, 8)), block(make([]byte, 8))),
		Why: "An address in the memory of the container's own process."},
	{Name: "move-pages", What: "`move_pages` of the container's first process", Try: calls(unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, 0),
		Why: "Pages of the container's own process, on a machine with one memory node."},
	{Name: "migrate-pages", What: "`migrate_pages` of the container's first process", Try: calls(unix.SYS_MIGRATE_PAGES, 1, 1, block([]byte{1, 0, 0, 0, 0, 0, 0, 0}), block([]byte{1, 0, 0, 0, 0, 0, 0, 0})),
		Why: "Pages of the container's own process, on a machine with one memory node."},
	{Name: "sigqueue", What: "forge who sends a signal: `rt_sigqueueinfo`", Try: forgeSignal,
		Why: "It reaches processes of the container only."},
	{Name: "core-dump", What: "leave a core dump in the machine's directories", Try: coreDump},
}

// ownName is what this program is called in /proc.
const ownName = "probe"

// eachProcess tries every process that /proc shows and that is not this program.
func eachProcess(try func(pid int) error) error {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	last := error(unix.ESRCH)
	for _, entry := range list {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if comm, err := os.ReadFile("/proc/" + entry.Name() + "/comm"); err != nil || strings.TrimSpace(string(comm)) == ownName {
			continue
		}
		if last = try(pid); last == nil {
			return nil
		}
	}
	return last
}

// signalAll sends the signal 0, which is a question, to every number that can be
// a process.
func signalAll() error {
	for pid := 2; pid <= 32768; pid++ {
		if unix.Kill(pid, 0) != nil {
			continue
		}
		// A thread's number is no entry of the list, but has one of its own.
		if comm, err := os.ReadFile("/proc/" + itoa(pid) + "/comm"); err == nil && strings.TrimSpace(string(comm)) == ownName {
			continue
		}
		// The thread of an attack ends with it. Others that can be signalled stay.
		if unix.Kill(pid, 0) == nil {
			return nil
		}
	}
	return unix.ESRCH
}

// signalInit finds out who is PID 1 here, and would ask it nothing if it were
// the machine's.
func signalInit() error {
	comm, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(comm)) == ownName {
		return unix.ESRCH
	}
	return unix.Kill(1, 0)
}

func readMemory(pid int) error {
	buffer := make([]byte, 8)
	local := []unix.Iovec{{Base: &buffer[0], Len: 8}}
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
	return past(err, unix.EFAULT)
}

// traceChild attaches to a child and lets it go.
func traceChild() error {
	pid, err := forkSleeper()
	if err != nil {
		return err
	}
	defer end(pid)
	return unix.PtraceSeize(pid)
}

func seizeInit() error {
	return unix.PtraceSeize(1)
}

func takeDescriptor() error {
	fd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		return err
	}
	got, err := unix.PidfdGetfd(fd, 0, 0)
	if err != nil {
		return err
	}
	return unix.Close(got)
}

func adviseInit() error {
	fd, err := unix.PidfdOpen(1, 0)
	if err != nil {
		return err
	}
	iov := make([]byte, 16) // nothing at address 0
	_, err = call(unix.SYS_PROCESS_MADVISE, uintptr(fd), block(iov), 1, unix.MADV_COLD, 0)
	return past(err, unix.EINVAL, unix.ENOMEM)
}

func forgeSignal() error {
	pid, err := forkSleeper()
	if err != nil {
		return err
	}
	defer end(pid)
	info := make([]byte, 128)
	putUint32(info[0:], uint32(unix.SIGCONT))
	putUint32(info[8:], 0xffffffff) // SI_QUEUE
	_, err = call(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(unix.SIGCONT), block(info))
	return err
}

// coreDump looks where a dump would go: a relative name is in the container, a
// path or a program is looked up in the machine.
func coreDump() error {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	err = errors.Join(unix.Getrlimit(unix.RLIMIT_CORE, &limit))
	if err != nil || pattern[0] == '|' && limit.Max > 0 {
		return err
	}
	return inside
}
