package build

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A filter is read, checked and made a program of at each start of a container, name
// by name and rule by rule, so it is written as short as it can be said. What it allows
// is the same.

// absent are calls of Docker's profile that the kernels of an architecture never
// had: those of 32-bit machines, above all. libseccomp has them in its table of calls as
// ones that this architecture has not, and leaves them out.
var absent = map[specs.Arch][]string{
	specs.ArchX86_64: strings.Fields(`
		_llseek _newselect arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush chown32 clock_adjtime64
		clock_getres_time64 clock_gettime64 clock_nanosleep_time64 clock_settime64 fadvise64_64 fchown32 fcntl64
		fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32
		getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 lstat64 mmap2 mq_timedreceive_time64
		mq_timedsend_time64 ppoll_time64 pselect6_time64 recv recvmmsg_time64 riscv_flush_icache
		rt_sigtimedwait_time64 s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr
		sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 set_tls setfsgid32 setfsuid32 setgid32
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
		riscv_flush_icache rmdir rt_sigtimedwait_time64 s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr
		sched_rr_get_interval_time64 select semtimedop_time64 send sendfile64 set_thread_area set_tls setfsgid32
		setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 signalfd sigprocmask
		sigreturn socketcall stat stat64 statfs64 stime swapcontext symlink sync_file_range2 time timer_gettime64
		timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit umount unlink utime
		utimensat_time64 utimes vfork waitpid`),
}

// smaller says a filter with fewer names and rules.
func smaller(f *specs.LinuxSeccomp) {
	if len(f.Architectures) == 1 {
		gone := absent[f.Architectures[0]]
		for i, s := range f.Syscalls {
			f.Syscalls[i].Names = slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool {
				_, found := slices.BinarySearch(gone, name)
				return found
			})
		}
	}
	f.Syscalls = slices.DeleteFunc(f.Syscalls, func(s specs.LinuxSyscall) bool { return len(s.Names) == 0 })
	f.Syscalls = mergeValues(f.Syscalls)
}

// mergeValues puts rules together that allow, or refuse, a call for one value each
// of the same argument.
func mergeValues(rules []specs.LinuxSyscall) (out []specs.LinuxSyscall) {
	for i, r := range rules {
		same := func(o specs.LinuxSyscall) bool {
			return oneValue(o) && slices.Equal(o.Names, r.Names) && o.Action == r.Action && equal(o.ErrnoRet, r.ErrnoRet) && o.Args[0].Index == r.Args[0].Index
		}
		if !oneValue(r) {
			out = append(out, r)
			continue
		}
		if slices.ContainsFunc(rules[:i], same) {
			continue
		}
		var values []uint64
		for _, o := range rules[i:] {
			if same(o) {
				values = append(values, o.Args[0].Value)
			}
		}
		for _, c := range cover(values) {
			merged := r
			merged.Args = []specs.LinuxSeccompArg{c.arg(r.Args[0].Index)}
			out = append(out, merged)
		}
	}
	return out
}

func oneValue(r specs.LinuxSyscall) bool {
	return len(r.Args) == 1 && r.Args[0].Op == specs.OpEqualTo
}

// A cube is all values that are value in the bits that are not free.
type cube struct{ value, free uint64 }

func (c cube) has(v uint64) bool { return v&^c.free == c.value }

func (c cube) arg(index uint) specs.LinuxSeccompArg {
	if c.free == 0 {
		return specs.LinuxSeccompArg{Index: index, Value: c.value, Op: specs.OpEqualTo}
	}
	return specs.LinuxSeccompArg{Index: index, Value: ^c.free, ValueTwo: c.value, Op: specs.OpMaskedEqual}
}

// maxValues is of how many values fewer rules are looked for; it takes their
// square, and families of sockets are 46.
const maxValues = 64

// cover finds few cubes that have these values and no others, always the same.
func cover(values []uint64) (chosen []cube) {
	slices.Sort(values)
	values = slices.Compact(values)
	var all []cube
	for _, v := range values {
		all = append(all, cube{value: v})
	}
	if len(values) > maxValues {
		return all
	}
	for from := 0; from < len(all); from++ {
		all = append(all, larger(all, from)...)
	}
	slices.SortStableFunc(all, func(a, b cube) int {
		return cmp.Or(bits.OnesCount64(b.free)-bits.OnesCount64(a.free), cmp.Compare(a.value, b.value), cmp.Compare(a.free, b.free))
	})
	for len(values) > 0 {
		best := slices.MaxFunc(all, func(a, b cube) int { return a.covers(values) - b.covers(values) })
		chosen = append(chosen, best)
		values = slices.DeleteFunc(values, best.has)
	}
	return chosen
}

// larger are the cubes, not there yet, of which one half is all[from] and the other
// one is there.
func larger(all []cube, from int) (more []cube) {
	c := all[from]
	for _, other := range all[:from] {
		bit := c.value ^ other.value
		if c.free != other.free || bits.OnesCount64(bit) != 1 {
			continue
		}
		if m := (cube{c.value &^ bit, c.free | bit}); !slices.Contains(all, m) && !slices.Contains(more, m) {
			more = append(more, m)
		}
	}
	return more
}

func (c cube) covers(values []uint64) (n int) {
	for _, v := range values {
		if c.has(v) {
			n++
		}
	}
	return n
}
