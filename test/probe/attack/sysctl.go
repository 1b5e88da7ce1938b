package attack

import "golang.org/x/sys/unix"

// sysctls write back what they have read. Where even that would change
// something, or the kernel takes no value twice, the file is only opened.
var sysctls = []Attack{
	{Name: "core-pattern", What: "`kernel.core_pattern`: a program that the kernel starts as root for each crash", Try: rewrites("/proc/sys/kernel/core_pattern")},
	{Name: "modprobe-path", What: "`kernel.modprobe`: a program that the kernel starts as root", Try: rewrites("/proc/sys/kernel/modprobe")},
	{Name: "poweroff-cmd", What: "`kernel.poweroff_cmd`: another one", Try: rewrites("/proc/sys/kernel/poweroff_cmd")},
	{Name: "usermodehelper-bset", What: "`kernel.usermodehelper.bset`: the capabilities of such programs", Try: writable("/proc/sys/kernel/usermodehelper/bset")},
	{Name: "sysctl-sysrq", What: "`kernel.sysrq`: turn on all of the emergency keys", Try: rewrites("/proc/sys/kernel/sysrq")},
	{Name: "sysctl-printk", What: "`kernel.printk`: silence the console", Try: rewrites("/proc/sys/kernel/printk")},
	{Name: "sysctl-panic", What: "`kernel.panic`: what a panic does", Try: rewrites("/proc/sys/kernel/panic")},
	{Name: "sysctl-panic-on-oom", What: "`vm.panic_on_oom`: panic when memory is short", Try: rewrites("/proc/sys/vm/panic_on_oom")},
	{Name: "sysctl-dmesg-restrict", What: "`kernel.dmesg_restrict`: who reads the kernel's log", Try: rewrites("/proc/sys/kernel/dmesg_restrict")},
	{Name: "sysctl-kptr-restrict", What: "`kernel.kptr_restrict`: who sees the kernel's addresses", Try: rewrites("/proc/sys/kernel/kptr_restrict")},
	{Name: "sysctl-aslr", What: "`kernel.randomize_va_space`: addresses of all programs", Try: rewrites("/proc/sys/kernel/randomize_va_space")},
	{Name: "sysctl-modules-disabled", What: "`kernel.modules_disabled`: no modules until the next boot (opened only)", Try: writable("/proc/sys/kernel/modules_disabled")},
	{Name: "sysctl-kexec-disabled", What: "`kernel.kexec_load_disabled`, which stays until the next boot (opened only)", Try: writable("/proc/sys/kernel/kexec_load_disabled")},
	{Name: "sysctl-pid-max", What: "`kernel.pid_max`: no more processes for anybody", Try: rewrites("/proc/sys/kernel/pid_max")},
	{Name: "sysctl-threads-max", What: "`kernel.threads-max`", Try: rewrites("/proc/sys/kernel/threads-max")},
	{Name: "sysctl-file-max", What: "`fs.file-max`: no more open files for anybody", Try: rewrites("/proc/sys/fs/file-max")},
	{Name: "sysctl-suid-dumpable", What: "`fs.suid_dumpable`: core dumps of privileged programs", Try: rewrites("/proc/sys/fs/suid_dumpable")},
	{Name: "sysctl-protected-links", What: "`fs.protected_symlinks`", Try: rewrites("/proc/sys/fs/protected_symlinks")},
	{Name: "sysctl-overcommit", What: "`vm.overcommit_memory`: memory of all programs", Try: rewrites("/proc/sys/vm/overcommit_memory")},
	{Name: "sysctl-drop-caches", What: "`vm.drop_caches`: slow everything down (opened only)", Try: writable("/proc/sys/vm/drop_caches")},
	{Name: "sysctl-mmap-min", What: "`vm.mmap_min_addr`: memory at address 0", Try: rewrites("/proc/sys/vm/mmap_min_addr")},
	{Name: "sysctl-userns", What: "`user.max_user_namespaces`", Try: rewrites("/proc/sys/user/max_user_namespaces")},
	{Name: "sysctl-bpf", What: "`kernel.unprivileged_bpf_disabled`", Try: rewrites("/proc/sys/kernel/unprivileged_bpf_disabled")},
	{Name: "sysctl-perf", What: "`kernel.perf_event_paranoid`", Try: rewrites("/proc/sys/kernel/perf_event_paranoid")},
	{Name: "sysctl-hostname", What: "`kernel.hostname` of the machine", Try: rewrites("/proc/sys/kernel/hostname")},
	{Name: "sysctl-shmmax", What: "`kernel.shmmax` of the machine's IPC namespace", Try: rewrites("/proc/sys/kernel/shmmax")},
	{Name: "sysctl-ip-forward", What: "`net.ipv4.ip_forward`: make a router of the machine", Try: rewrites("/proc/sys/net/ipv4/ip_forward")},
	{Name: "sysctl-low-ports", What: "`net.ipv4.ip_unprivileged_port_start`: who may take port 22", Try: rewrites("/proc/sys/net/ipv4/ip_unprivileged_port_start")},
	{Name: "sysctl-rp-filter", What: "`net.ipv4.conf.all.rp_filter`: forged senders", Try: rewrites("/proc/sys/net/ipv4/conf/all/rp_filter")},
	{Name: "sysctl-bpf-jit", What: "`net.core.bpf_jit_enable`", Try: rewrites("/proc/sys/net/core/bpf_jit_enable")},
	{Name: "sysctl-ldisc", What: "`dev.tty.ldisc_autoload`", Try: rewrites("/proc/sys/dev/tty/ldisc_autoload")},
	{Name: "binfmt-register", What: "`fs/binfmt_misc/register`: an interpreter for the programs of all (opened only)", Try: writable("/proc/sys/fs/binfmt_misc/register")},
	{Name: "sysctl-any", What: "any other file of `/proc/sys` that opens for writing", Try: anyWritable("/proc/sys", nowhere)},
	{Name: "sysctl-remount", What: "make `/proc/sys` writable by a remount", Try: remounts("/proc/sys")},
	{Name: "sysctl-uncover", What: "unmount what makes `/proc/sys` read-only", Try: uncovers("/proc/sys")},
}

// remounts makes the mount of a path writable; a path that is none has nothing
// to be made writable. It is done in a mount namespace of its own.
func remounts(path string) func() error {
	return apart(func() error {
		if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
			return past(err, unix.EINVAL)
		}
		return nil
	})
}

// uncovers unmounts what lies over a path.
func uncovers(path string) func() error {
	return apart(func() error {
		return past(unix.Unmount(path, unix.MNT_DETACH), unix.EINVAL)
	})
}
