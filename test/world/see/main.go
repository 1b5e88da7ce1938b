// Command see prints all that a container's process can see of its world, a fact a
// line, so that what two OCI runtimes make of the same bundle can be compared.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	fact("args", os.Args[1:])
	for _, part := range []func(){identity, status, limits, namespaces, mounts, devices, descriptors, calls} {
		part()
	}
}

func fact(what string, of ...any) {
	fmt.Println(append([]any{what}, of...)...)
}

// lines are a file's; a file that cannot be read is a fact too.
func lines(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func identity() {
	cwd, err := os.Getwd()
	fact("cwd", cwd, err)
	name, err := os.Hostname()
	fact("hostname", name, err)
	env := os.Environ()
	sort.Strings(env)
	for _, v := range env {
		fact("env", v)
	}
	sid, err := unix.Getsid(0)
	fact("leads its session", sid == os.Getpid(), err)
	fact("oom_score_adj", lines("/proc/self/oom_score_adj"))
	fact("cgroup", lines("/proc/self/cgroup"))
	domain, err := os.ReadFile("/proc/sys/kernel/domainname")
	fact("domainname", strings.TrimSpace(string(domain)), err)
	keys, err := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_SESSION_KEYRING, 0, 0, 0)
	fact("has a session keyring", keys > 0, err)
	fact("personality", lines("/proc/self/personality"))
}

// seen are the lines of a status that do not change from one look to the next.
var seen = []string{"Umask", "Uid", "Gid", "Groups", "NSpid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
	"Seccomp_filters", "SigBlk", "SigIgn", "Cpus_allowed_list", "Mems_allowed_list", "THP_enabled", "CoreDumping"}

func status() {
	for _, line := range lines("/proc/self/status") {
		key, value, _ := strings.Cut(line, ":")
		for _, s := range seen {
			if s == key {
				fact("status", key, strings.Join(strings.Fields(value), " "))
			}
		}
	}
}

func limits() {
	for _, line := range lines("/proc/self/limits") {
		fact("limit", strings.Join(strings.Fields(line), " "))
	}
}

func namespaces() {
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		link, err := os.Readlink("/proc/self/ns/" + kind)
		fact("namespace", link, err)
	}
	fact("uid_map", lines("/proc/self/uid_map"))
	fact("gid_map", lines("/proc/self/gid_map"))
	fact("setgroups", lines("/proc/self/setgroups"))
}

// mounts leaves out the numbers of mounts and devices.
func mounts() {
	for _, line := range lines("/proc/self/mountinfo") {
		f := strings.Fields(line)
		if len(f) < 7 {
			fact("mount", line)
			continue
		}
		for i := range f {
			for _, kind := range []string{"shared:", "master:", "propagate_from:"} {
				if strings.HasPrefix(f[i], kind) {
					f[i] = kind
				}
			}
		}
		fact("mount", strings.Join(f[3:], " "))
	}
}

// devices are all names in /dev.
func devices() {
	err := filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			fact("dev", path, err)
			return nil
		}
		var s unix.Stat_t
		if err := unix.Lstat(path, &s); err != nil {
			return err
		}
		target := ""
		if d.Type()&fs.ModeSymlink != 0 {
			if target, err = os.Readlink(path); err != nil {
				return err
			}
		}
		fact("dev", fmt.Sprintf("%s %o %d:%d %d:%d %s", path, s.Mode, s.Uid, s.Gid, unix.Major(s.Rdev), unix.Minor(s.Rdev), target))
		return nil
	})
	if err != nil {
		fact("dev", err)
	}
}

func descriptors() {
	for i := range 64 {
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", i))
		if err != nil {
			continue
		}
		flags, flagErr := unix.FcntlInt(uintptr(i), unix.F_GETFL, 0)
		fact("descriptor", i, target, flags, flagErr)
	}
}

// harmless calls with nothing in them: what tells is whether they are refused, and how.
var harmless = map[string]uintptr{
	"add_key": unix.SYS_ADD_KEY, "bpf": unix.SYS_BPF, "clone3": unix.SYS_CLONE3, "fsopen": unix.SYS_FSOPEN, "finit_module": unix.SYS_FINIT_MODULE,
	"io_uring_setup": unix.SYS_IO_URING_SETUP, "kcmp": unix.SYS_KCMP, "kexec_load": unix.SYS_KEXEC_LOAD, "keyctl": unix.SYS_KEYCTL,
	"lookup_dcookie": unix.SYS_LOOKUP_DCOOKIE, "mbind": unix.SYS_MBIND, "mount": unix.SYS_MOUNT, "move_mount": unix.SYS_MOVE_MOUNT,
	"move_pages": unix.SYS_MOVE_PAGES, "name_to_handle_at": unix.SYS_NAME_TO_HANDLE_AT, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT,
	"open_tree": unix.SYS_OPEN_TREE, "perf_event_open": unix.SYS_PERF_EVENT_OPEN, "pidfd_getfd": unix.SYS_PIDFD_GETFD,
	"process_vm_readv": unix.SYS_PROCESS_VM_READV, "quotactl": unix.SYS_QUOTACTL, "request_key": unix.SYS_REQUEST_KEY,
	"settimeofday": unix.SYS_SETTIMEOFDAY, "setns": unix.SYS_SETNS, "swapoff": unix.SYS_SWAPOFF, "syslog": unix.SYS_SYSLOG,
	"umount2": unix.SYS_UMOUNT2, "unshare": unix.SYS_UNSHARE, "userfaultfd": unix.SYS_USERFAULTFD,
}

func calls() {
	for _, name := range sorted(harmless) {
		_, _, errno := unix.Syscall6(harmless[name], ^uintptr(0), 0, 0, 0, 0, 0)
		if errors.Is(errno, unix.EPERM) || errors.Is(errno, unix.ENOSYS) {
			fact("call", name, errno.Error())
		} else {
			fact("call", name, "reaches the kernel")
		}
	}
}

func sorted(m map[string]uintptr) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
