package spec

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// absent are calls of Docker's profile that the kernels of an architecture never
// had: those of 32-bit machines, above all. libseccomp has them in its table of calls as
// ones that this architecture has not, and leaves them out.
var absent = map[specs.Arch][]string{
	specs.ArchX86_64: strings.Fields(`
		_llseek _newselect arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush chown32 clock_adjtime64
		clock_getres_time64 clock_gettime64 clock_nanosleep_time64 clock_settime64 fadvise64_64 fchown32 fcntl64
		fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32
		getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 lstat64 mmap2 mq_timedreceive_time64
		mq_timedsend_time64 ppoll_time64 pselect6_time64 recv recvmmsg_time64 riscv_flush_icache riscv_hwprobe
		rt_sigtimedwait_time64 s390_pci_mmio_read
		s390_pci_mmio_write s390_runtime_instr sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 set_tls setfsgid32 setfsuid32 setgid32
		setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn socketcall stat64
		statfs64 stime swapcontext sync_file_range2 timer_gettime64 timer_settime64 timerfd_gettime64
		timerfd_settime64 truncate64 ugetrlimit umount utimensat_time64 waitpid`),
	specs.ArchAARCH64: strings.Fields(`
		_llseek _newselect access alarm arch_prctl arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush chmod
		chown chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 clock_settime64
		creat dup2 epoll_create epoll_ctl_old epoll_wait epoll_wait_old eventfd fadvise64_64 fchown32 fcntl64 fork
		fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 futimesat get_thread_area getdents getegid32 geteuid32
		getgid32 getgroups32 getpgrp getresgid32 getresuid32 getuid32 inotify_init io_pgetevents_time64 ioperm iopl
		ipc lchown lchown32 link lstat lstat64 mkdir mknod mmap2 modify_ldt mq_timedreceive_time64
		mq_timedsend_time64 open pause pipe poll ppoll_time64 pselect6_time64 readlink recv recvmmsg_time64 rename
		riscv_flush_icache riscv_hwprobe rmdir rt_sigtimedwait_time64 s390_pci_mmio_read s390_pci_mmio_write
		s390_runtime_instr sched_rr_get_interval_time64 select semtimedop_time64 send sendfile64 set_thread_area set_tls setfsgid32
		setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 signalfd sigprocmask
		sigreturn socketcall stat stat64 statfs64 stime swapcontext symlink sync_file_range2 time timer_gettime64
		timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit umount unlink uretprobe utime
		utimensat_time64 utimes vfork waitpid`),
}

// withoutAbsent leaves out the calls that a filter's only architecture has not. A
// filter is read, handed on and compiled at each start of a container, name by name.
func withoutAbsent(f *specs.LinuxSeccomp) {
	if len(f.Architectures) != 1 {
		return
	}
	gone := absent[f.Architectures[0]]
	for i, s := range f.Syscalls {
		f.Syscalls[i].Names = slices.DeleteFunc(s.Names, func(name string) bool {
			_, found := slices.BinarySearch(gone, name)
			return found
		})
	}
	f.Syscalls = slices.DeleteFunc(f.Syscalls, func(s specs.LinuxSyscall) bool { return len(s.Names) == 0 })
}
