package quota

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// settings are what the kernel counts for the whole machine, or for all of root's
// processes. Containers could use them up for everybody, while the memory that
// stands behind them is counted, and bounded, for each. So they are raised to
// what the kernel takes at most.
var settings = []struct{ file, value string }{
	{"/proc/sys/fs/file-max", strconv.FormatInt(1<<63-1, 10)},
	{"/proc/sys/kernel/threads-max", strconv.Itoa(1<<30 - 1)},
	{"/proc/sys/fs/inotify/max_user_instances", strconv.Itoa(1<<31 - 1)},
	{"/proc/sys/fs/inotify/max_user_watches", strconv.Itoa(1<<31 - 1)},
	// Without one left no Go program starts, ours and the OCI runtime among them.
	{"/proc/sys/fs/epoll/max_user_watches", strconv.FormatInt(1<<63-1, 10)},
	{"/proc/sys/kernel/pty/max", strconv.Itoa(1 << 20)},
	// A list of all processes for each that is killed for want of memory holds
	// everybody up behind a slow console.
	{"/proc/sys/vm/oom_dump_tasks", "0"},
}

// Set does so. It is for machines that bound the memory of containers.
func Set() error {
	var faults []error
	for _, c := range settings {
		if err := os.WriteFile(c.file, []byte(c.value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// shared are the file systems in memory that outlive containers, all of which
// LinuxKit's YAML binds into containers, with the most that each may have of the
// machine's memory: LinuxKit's sizes, and a like one where it gives none. System V
// memory of the machine's IPC namespace is the same by another name.
var shared = []Size{
	{"/run", 10}, {"/tmp", 10}, {"/var", 50}, {"/dev/shm", 10}, {shmall, 10},
}

// shmall bounds System V memory, in pages.
const shmall = "/proc/sys/kernel/shmall"

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

// BoundShared bounds System V memory, resizes what of the others is mounted, and bounds its inodes, which lie
// in memory that the kernel does not count as the file system's: one for each
// page. What is smaller, and what is not in memory, is left alone.
func (q Quota) BoundShared() error {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fmt.Errorf("size of the machine's memory: %w", err)
	}
	var faults []error
	for target, size := range q.Resize(uint64(info.Totalram) * uint64(info.Unit)) {
		set := bound
		if target == shmall {
			set = boundSystemV
		}
		if err := set(target, size); err != nil {
			faults = append(faults, fmt.Errorf("bound %s: %w", target, err))
		}
	}
	return errors.Join(faults...)
}

// boundSystemV leaves a lower bound alone. A kernel without System V memory has none.
func boundSystemV(file string, size uint64) error {
	now, err := readNumber(file)
	if errors.Is(err, os.ErrNotExist) || err == nil && now <= size>>12 {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, strconv.AppendUint(nil, size>>12, 10), 0)
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
	return mount.Mount{Target: target, Flags: unix.MS_REMOUNT | flags(st), Data: Sizes(size)}.Do()
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
