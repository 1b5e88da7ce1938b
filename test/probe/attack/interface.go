package attack

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Interfaces of the kernel that are large and were the way in before. That one
// may be used is no hole by itself; that it is closed, one hole less.
var interfaces = []Attack{
	{Name: "bpf-prog", What: "load a BPF program", Try: bpf(5, socketFilter)},
	{Name: "bpf-map", What: "make a BPF map", Try: bpf(0, array)},
	{Name: "perf-self", What: "`perf_event_open` of itself", Try: perf(0, -1)},
	{Name: "perf-cpu", What: "`perf_event_open` of all processes on a processor", Try: perf(-1, 0)},
	{Name: "io-uring", What: "`io_uring_setup`", Try: makes(unix.SYS_IO_URING_SETUP, 1, block(make([]byte, 120)))},
	{Name: "userfaultfd", What: "`userfaultfd` that stops the kernel", Try: makes(unix.SYS_USERFAULTFD, unix.O_CLOEXEC)},
	{Name: "userfaultfd-user", What: "`userfaultfd` for its own accesses", Try: makes(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|1)},
	{Name: "add-key", What: "leave a key in the keyring of root, which all containers share", Try: addKey},
	{Name: "keyctl", What: "join a session keyring: `keyctl`", Try: func() error { _, err := unix.KeyctlJoinSessionKeyring("probe"); return err }},
	{Name: "request-key", What: "have the kernel start `/sbin/request-key`", Try: func() error {
		_, err := unix.RequestKey("user", "probe-nonesuch", "probe", unix.KEY_SPEC_THREAD_KEYRING)
		return err
	}},
	{Name: "persistent-keyring", What: "the persistent keyring of another user", Try: func() error {
		_, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, 12345, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
		return err
	}},
	{Name: "af-alg", What: "the kernel's ciphers: an `AF_ALG` socket", Try: cipher},
	{Name: "af-vsock", What: "talk to the hypervisor's host: an `AF_VSOCK` socket", Try: makes(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)},
	{Name: "af-rare", What: "a socket of any other family (TIPC, RDS, CAN, X.25, Bluetooth, ...)", Try: rareSocket},
	{Name: "memfd-secret", What: "`memfd_secret`", Try: makes(unix.SYS_MEMFD_SECRET, 0)},
	{Name: "landlock", What: "`landlock_create_ruleset`", Try: func() error {
		_, err := call(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
		return err
	}, Why: "It can only take rights from itself."},
	{Name: "mempolicy", What: "`set_mempolicy`", Try: calls(unix.SYS_SET_MEMPOLICY, 0, 0, 0),
		Why: "Where the process's own memory lies, on a machine with one memory node."},
	{Name: "mbind", What: "`mbind`", Try: calls(unix.SYS_MBIND, 0, 0, 0, 0, 0, 0),
		Why: "As `set_mempolicy`."},
	{Name: "vmsplice", What: "`vmsplice`", Try: func() error {
		_, err := call(unix.SYS_VMSPLICE, 1, 0, 0, 0)
		return past(err, unix.EBADF)
	}, Why: "A common call, kept open for programs that move data; its fault of 2008 is mended."},
	{Name: "remap-file-pages", What: "`remap_file_pages`", Try: func() error {
		_, err := call(unix.SYS_REMAP_FILE_PAGES, 0, 0, 0, 0, 0)
		return past(err, unix.EINVAL)
	}, Why: "The kernel carries it out as a common `mmap`."},
}

func bpf(command uintptr, attributes func() []byte) func() error {
	return func() error {
		a := attributes()
		fd, err := call(unix.SYS_BPF, command, block(a), uintptr(len(a)))
		if err != nil {
			return err
		}
		return unix.Close(int(fd))
	}
}

// socketFilter is a program of two instructions: r0 = 0; exit.
func socketFilter() []byte {
	a := make([]byte, 48)
	putUint32(a[0:], 1) // BPF_PROG_TYPE_SOCKET_FILTER
	putUint32(a[4:], 2)
	program := []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}
	putUint64(a[8:], uint64(block(program)))
	putUint64(a[16:], uint64(text("GPL")))
	return a
}

// array is a map of one number.
func array() []byte {
	a := make([]byte, 48)
	for i, v := range []uint32{2, 4, 4, 1} { // BPF_MAP_TYPE_ARRAY, key, value, entries
		putUint32(a[4*i:], v)
	}
	return a
}

// perf counts the processor's time by software.
func perf(pid, cpu int) func() error {
	return func() error {
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
		fd, err := unix.PerfEventOpen(&attr, pid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
}

func addKey() error {
	id, err := unix.AddKey("user", "probe", []byte("x"), unix.KEY_SPEC_USER_KEYRING)
	if err != nil {
		return err
	}
	_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
	return err
}

func cipher() error {
	fd, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return past(unix.Bind(fd, &unix.SockaddrALG{Type: "hash", Name: "sha256"}), unix.ENOENT)
}

// rareSocket tries all families but those that other attacks look at.
func rareSocket() error {
	last := error(unix.EAFNOSUPPORT)
	for family := 3; family < 46; family++ {
		switch family {
		case unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_ALG, unix.AF_VSOCK:
			continue
		}
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				Detail("a socket of family %d", family)
				return unix.Close(fd)
			}
			if errors.Is(err, unix.EAFNOSUPPORT) {
				break // and the kernel has looked for a module
			}
			if Outcome(err) != NotThere && !errors.Is(err, unix.EINVAL) {
				last = err
			}
		}
	}
	return last
}
