package quota

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
)

// setting is a value for a file of /proc/sys.
type setting struct{ file, value string }

// settings are what the kernel counts for the whole machine, or for all of root's
// processes. Containers could use them up for everybody, while the memory that
// stands behind them is counted, and bounded, for each. So they are raised to
// what the kernel takes at most. Terminals are not: what waits in them is counted for nobody.
var settings = []setting{
	{"/proc/sys/fs/file-max", strconv.FormatInt(1<<63-1, 10)},
	{"/proc/sys/kernel/threads-max", strconv.Itoa(1<<30 - 1)},
	{"/proc/sys/fs/inotify/max_user_instances", strconv.Itoa(1<<31 - 1)},
	{"/proc/sys/fs/inotify/max_user_watches", strconv.Itoa(1<<31 - 1)},
	// Without one left no Go program starts, ours and the OCI runtime among them.
	{"/proc/sys/fs/epoll/max_user_watches", strconv.FormatInt(1<<63-1, 10)},
	// Each start needs one of these; CAP_SYS_ADMIN makes more. Those of networks and IPC, which few starts need, are
	// counted in part alone.
	{"/proc/sys/user/max_mnt_namespaces", strconv.Itoa(1<<31 - 1)},
	{"/proc/sys/user/max_pid_namespaces", strconv.Itoa(1<<31 - 1)},
	{"/proc/sys/user/max_uts_namespaces", strconv.Itoa(1<<31 - 1)},
	{"/proc/sys/user/max_cgroup_namespaces", strconv.Itoa(1<<31 - 1)},
	// Past it new pipes of all of root's containers are short.
	{"/proc/sys/fs/pipe-user-pages-soft", "0"},
	// A list of all processes for each that is killed because it was out of memory holds
	// everybody up behind a slow console.
	{"/proc/sys/vm/oom_dump_tasks", "0"},
}

// inherited are the limits of one process that the kernel compares with what all of
// root's have: signals that wait and timers, and bytes of POSIX queues. Memory
// stands behind the first, the number of queues bounds the second (see shared).
var inherited = []int{unix.RLIMIT_SIGPENDING, unix.RLIMIT_MSGQUEUE}

// Inherit raises them for this process, and so for containers that it starts.
func Inherit() error {
	var faults []error
	for _, limit := range inherited {
		if err := unix.Setrlimit(limit, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}); err != nil {
			faults = append(faults, fmt.Errorf("raise limit %d of this process: %w", limit, err))
		}
	}
	return errors.Join(faults...)
}

// Set does so. It is for machines that bound the memory of containers.
func (q Quota) Set() error {
	var faults []error
	terminals := setting{"/proc/sys/kernel/pty/max", strconv.FormatUint(q.Terminals+reserveTerminals, 10)}
	for _, c := range append(slices.Clip(settings), terminals) {
		if err := os.WriteFile(c.file, []byte(c.value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	faults = append(faults, lower("/proc/sys/net/core/optmem_max", q.options()), double("/proc/sys/net/core/bpf_jit_limit"))
	return errors.Join(faults...)
}

// double doubles a limit whose default is half of what the kernel takes at most, and leaves one alone that is
// more than that. It is of compiled filters, of sockets and of system calls, of all who have no CAP_BPF: who has used it up
// keeps every container from starting, and every command in one.
func double(file string) error {
	now, err := readNumber(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(strconv.FormatUint(2*now, 10)), 0); !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// minOptions is for what programs usually ask for: 253 descriptors in one message take 1,032 bytes, a filter of
// 100 instructions 860, and 20 groups of multicast as much.
const minOptions = 2 << 10

// options is how much of a socket's options, filters and ancillary data, which no limit counts, a socket may have: as
// many bytes as 65,536 of them have in the memory of containers. The kernel's own is 20 KB,
// or 128 since Linux 6.7.
func (q Quota) options() uint64 { return max(minOptions, q.Memory>>16) }

// shared are the file systems in memory that outlive containers, all of which
// LinuxKit's YAML binds into containers, with the most that each may have of the
// machine's memory: LinuxKit's sizes, and a like one where it gives none. System V
// memory, messages and semaphores and POSIX queues of the machine's IPC namespace
// are the same by another name: they stay when who filled them is gone.
var shared = []Size{
	{"/run", 10}, {machine.Run + "/" + machine.Output, 10}, {"/tmp", 10}, {"/var", 50}, {"/dev/shm", 10}, {shmall, 10}, {msgmni, 6}, {sem, 2}, {queuesMax, 2},
}

// What bounds them: pages of memory, queues of messages, of semaphores four numbers
// (sysctl/kernel.rst), and POSIX queues (sysctl/fs.rst).
const (
	shmall    = "/proc/sys/kernel/shmall"
	msgmni    = "/proc/sys/kernel/msgmni"
	sem       = "/proc/sys/kernel/sem"
	queuesMax = "/proc/sys/fs/mqueue/queues_max"
)

// Size is one of them and its size, in percent of the machine's memory.
type Size struct {
	Target  string
	Percent uint64
}

// Resize says what to remount and to how many bytes, for a machine of total
// bytes, so that all together fit into the quota.
func (q Quota) Resize(total uint64) map[string]uint64 {
	var sum, percents uint64
	for _, s := range shared {
		sum += total / 100 * s.Percent
		percents += s.Percent
	}
	sizes := map[string]uint64{}
	for _, s := range shared {
		size := total / 100 * s.Percent
		if q.Shared > 0 && sum > q.Shared {
			size = q.Shared / percents * s.Percent
		}
		sizes[s.Target] = size &^ 0xfff
	}
	return sizes
}

// BoundShared bounds System V objects, resizes what of the others is mounted, and bounds its inodes, which lie
// in memory that the kernel does not count as the file system's: one for each
// page. What is smaller, and what is not in memory, is left alone.
func (q Quota) BoundShared() error {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fmt.Errorf("size of the machine's memory: %w", err)
	}
	var faults []error
	for target, size := range q.Resize(uint64(info.Totalram) * uint64(info.Unit)) {
		if err := bounder(target)(target, size); err != nil {
			faults = append(faults, fmt.Errorf("bound %s: %w", target, err))
		}
	}
	return errors.Join(faults...)
}

func bounder(target string) func(string, uint64) error {
	switch target {
	case shmall:
		return boundPages
	case msgmni:
		return boundQueues
	case sem:
		return boundSemaphores
	case queuesMax:
		return boundPOSIXQueues
	}
	return bound
}

func boundPages(file string, size uint64) error { return lower(file, size>>12) }

// boundQueues goes by the fullest queue: as many messages as it may have bytes
// (16,384, which a container cannot raise), each of which takes 72 of the kernel's.
func boundQueues(file string, size uint64) error { return lower(file, size/(16384*72)) }

// boundSemaphores gives one half to semaphores, of 64 bytes, the other to sets, whose
// least takes 512. The numbers are those of one set, of all, of one call, and the sets.
func boundSemaphores(file string, size uint64) error {
	return lower(file, math.MaxUint64, size/2/64, math.MaxUint64, size/2/512)
}

// boundPOSIXQueues goes by what a container may ask for: 10 messages of 8 KB each, and
// what the kernel has for them.
func boundPOSIXQueues(file string, size uint64) error { return lower(file, size/(88<<10)) }

// lower leaves lower bounds alone. A kernel without such objects has no file. There
// is always one.
func lower(file string, most ...uint64) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	words := strings.Fields(string(data))
	if len(words) != len(most) {
		return fmt.Errorf("%s: %q, want %d numbers", file, data, len(most))
	}
	lowered := false
	for i, word := range words {
		now, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if bound := max(most[i], 1); now > bound {
			words[i], lowered = strconv.FormatUint(bound, 10), true
		}
	}
	if !lowered {
		return nil
	}
	return os.WriteFile(file, []byte(strings.Join(words, " ")), 0)
}

func bound(target string, size uint64) error {
	var st unix.Statfs_t
	err := unix.Statfs(target, &st)
	if err != nil || st.Type != unix.TMPFS_MAGIC || !mounted(target) {
		return nil
	}
	if have := st.Blocks * uint64(st.Bsize); have > 0 {
		size = min(size, have)
	}
	options := Sizes(size)
	if st.Files > 0 && st.Files < Inodes(size) {
		options = options[:1]
	}
	return mount.Mount{Target: target, Flags: unix.MS_REMOUNT | flags(st), Data: options}.Do()
}

// Sizes are the options of a tmpfs of so many bytes.
func Sizes(size uint64) []string {
	return []string{"size=" + strconv.FormatUint(size, 10), "nr_inodes=" + strconv.FormatUint(Inodes(size), 10)}
}

// minInodes is for the directories of a small one.
const minInodes = 1024

// Inodes is how many a tmpfs of so many bytes gets: one for each page, which a
// file that is not empty has anyway. One takes about a kilobyte.
func Inodes(size uint64) uint64 { return max(minInodes, size>>12) }

// mounted tells whether a file system begins at a directory.
func mounted(dir string) bool {
	var here, above unix.Stat_t
	return unix.Stat(dir, &here) == nil && unix.Stat(dir+"/..", &above) == nil && here.Dev != above.Dev
}

// flags are those of the mount, which a remount sets anew.
func flags(st unix.Statfs_t) uintptr {
	// ST_RELATIME is not the flag of the same name of mount(2).
	const same = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME
	return uintptr(st.Flags) & same
}
