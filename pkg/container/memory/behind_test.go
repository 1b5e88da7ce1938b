package memory

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"slipway/test/skip"

	"golang.org/x/sys/unix"
)

// Processes are counted by what they have open, not beyond what is asked for; those
// that have ended count nothing.
func TestBehind(t *testing.T) {
	proc := t.TempDir()
	has := func(pid, tid int, targets ...string) {
		dir := filepath.Join(proc, fmt.Sprint(pid), "task", fmt.Sprint(tid))
		for _, sub := range []string{"fd", "fdinfo", "ns", "net"} {
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		ns := "net:[1]"
		table := "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\nffff 2 1 00000000 400000 0 0 2 0 77\nffff 2 1 00000000 100 0 0 2 0 78\n"
		if pid == 10 {
			ns, table = "net:[2]", "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\nffff 2 1 00000000 5000 0 0 2 0 1003\n"
		}
		if err := os.WriteFile(filepath.Join(dir, "net/netlink"), []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, target := range append([]string{ns}, targets...) {
			name := filepath.Join(dir, "fd", fmt.Sprint(i))
			if i == 0 {
				name = filepath.Join(dir, "ns/net")
			}
			if err := os.Symlink(target, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("socket:[%d]", 1000+i))
	}
	has(1, 1, "socket:[77]", "socket:[78]", "/dev/null")
	has(2, 2, "/dev/null", "pipe:[77]", "socket:[12]")
	has(3, 3, many...)
	has(4, 4, "socket:[77]", "socket:[77]") // of process 1
	// One whose first thread has ended, one with a thread that has files of its own, and
	// one whose thread's are never looked at, because they are the first's.
	has(5, 6, "socket:[78]")
	has(7, 7, "/dev/null")
	has(7, 8, "socket:[78]")
	has(9, 91)
	has(10, 10)
	has(12, 12, "socket:[77]")
	has(9, 92, "socket:[78]")
	if err := os.MkdirAll(filepath.Join(proc, "5/task/5"), 0o700); err != nil {
		t.Fatal(err)
	}
	// Processes 21 and 22 have one open file, the second one twice, 23 another of the same name, and 24 what is not read.
	posix := strings.Repeat("lock:\t1: POSIX  ADVISORY  WRITE 6950 fe:00:99 5 5\n", 3)
	ofd := "lock:\t2: OFDLCK ADVISORY  WRITE -1 fe:00:99 10 10\n"
	locked := func(pid, fd int, locks string) {
		info := filepath.Join(proc, fmt.Sprintf("%d/task/%d/fdinfo/%d", pid, pid, fd))
		if err := os.WriteFile(info, []byte("pos:\t0\n"+locks), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has(21, 21, "/var/lib/db")
	has(22, 22, "/dev/null", "/var/lib/db", "/var/lib/db")
	has(23, 23, "/var/lib/db", "/var/lib/other")
	has(24, 24, "anon_inode:inotify", "anon_inode:[io_uring]")
	for _, at := range [][2]int{{21, 1}, {22, 2}, {22, 3}, {23, 1}, {24, 1}, {24, 2}} {
		locked(at[0], at[1], posix+ofd)
	}
	locked(23, 2, strings.ReplaceAll(posix+ofd, "fe:00:99", "fe:00:98"))
	sharedFile := func(a, b *locker) int { return cmp.Compare(a.tid/23, b.tid/23) }
	named := func(fd string) bool { return link(fd) != "socket:[12]" }
	// 92 has the table of 91, and 12 that of 7, which is another process.
	tables := map[int]int{92: 91, 12: 7}
	same := func(a, b int) int {
		if first, is := tables[b]; is {
			b = first
		}
		return cmp.Compare(a, b)
	}
	const full = 400000 + behindSocket
	never := func() func() bool { return func() bool { return false } }
	for i, tt := range []struct {
		pids   map[string][]int
		enough uint64
		want   Behind
	}{
		{map[string][]int{"a": {1}}, mb, Behind{"a": full + 100 + behindSocket}},
		{map[string][]int{"a": {2}}, mb, Behind{"a": 0}},
		{map[string][]int{"a": {2, 99, 1}}, mb, Behind{"a": full + 100 + behindSocket}},
		{map[string][]int{"a": {1, 4, 1}}, mb, Behind{"a": full + 100 + behindSocket}},
		{map[string][]int{"a": {4}}, mb, Behind{"a": full}},
		{map[string][]int{"a": {4, 5}}, 1000, Behind{"a": full}}, // no more is counted
		{map[string][]int{"a": {5}}, mb, Behind{"a": 100 + behindSocket}},
		{map[string][]int{"a": {7}}, mb, Behind{"a": 100 + behindSocket}},
		{map[string][]int{"a": {9}}, mb, Behind{"a": 0}},
		// One of another network namespace, in which only b is.
		{map[string][]int{"a": {3}, "b": {10}}, 10 * mb, Behind{"a": 5000 + 1000*behindSocket, "b": 0}},
		{map[string][]int{"a": {21, 22, 23, 24}}, mb, Behind{"a": (3 + 1 + 3 + 4 + 4) * behindLock}},
		{map[string][]int{"a": {22}}, mb, Behind{"a": (3 + 1) * behindLock}}, // twice in one table
		// An open file of two containers is neither's.
		{map[string][]int{"a": {21}, "b": {22}, "c": {23}}, mb, Behind{"a": 3 * behindLock, "b": 3 * behindLock, "c": 8 * behindLock}},
		// Two processes of one table.
		{map[string][]int{"a": {7, 12}}, mb, Behind{"a": 100 + behindSocket}},
		{nil, mb, Behind{}},
	} {
		o := nothingSeen(proc)
		o.isNetlink, o.byTable, o.byFile = named, same, sharedFile
		if got := o.behind(tt.pids, tt.enough, never); !maps.Equal(got, tt.want) {
			t.Errorf("%d: %v, want %v", i, got, tt.want)
		}
	}
	// Whose time is over is not looked at any longer, and others are.
	turns := 0
	clock := func() func() bool {
		turns++
		used := turns > 2 // one turn for the tables, one for the descriptors; then the next container's
		return func() bool { return used }
	}
	o := nothingSeen(proc)
	o.isNetlink, o.byTable = named, same
	if got := o.behind(map[string][]int{"a": {1}}, mb, clock); got["a"] != full+100+behindSocket {
		t.Errorf("in time: %v", got)
	}
	if got := o.behind(map[string][]int{"a": {3}}, mb, clock); got["a"] != 0 {
		t.Errorf("its time was over: %v", got)
	}
}

func TestOver(t *testing.T) {
	b := Behind{"a": 5, "b": 4, "c": 6}
	if got := b.Over(5); len(got) != 2 || !slices.Contains(got, "a") || !slices.Contains(got, "c") {
		t.Errorf("over: %v", got)
	}
}

// A netlink socket is known by the kernel's table, or by its own word where that does not
// have it yet; other files are asked nothing.
func TestNetlinkSockets(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this
	skip.UnlessRoot(t, "makes a network namespace")
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_FILES); err != nil {
		t.Fatal(err)
	}
	look := func() uint64 {
		o := nothingSeen("/proc")
		o.namespace("/proc/thread-self")
		return o.ofTable(table{dir: "/proc/thread-self", tid: unix.Gettid()}, mb, func() bool { return false })
	}
	for _, name := range []string{"/dev/null", "/"} {
		// Not an os.File: who closes one that is forgotten has other descriptors than this thread.
		if fd, err := unix.Open(name, unix.O_PATH, 0); err != nil || isNetlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd)) {
			t.Errorf("%v, %s is a socket", err, name)
		}
	}
	before := look()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	for _, bind := range []func() error{
		func() error { return nil }, // the tables do not have it yet
		func() error { return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) },
	} {
		if err := bind(); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != before+behindSocket {
			t.Errorf("%d, before %d", got, before)
		}
	}
}

func TestFree(t *testing.T) {
	m := map[string]uint64{"MemFree": 3, "Active(file)": 4, "Inactive(file)": 5}
	for own, want := range map[uint64]uint64{0: 12, 10: 2, 20: 0} {
		if got := free(m, own); got != want {
			t.Errorf("the kernel's own %d: %d, want %d", own, got, want)
		}
	}
	if _, err := meminfo("MemFree", "MemNone"); err == nil || !strings.Contains(err.Error(), "MemNone") {
		t.Errorf("a file that does not say it is no fault: %v", err)
	}
	if _, err := Free(); err != nil {
		t.Error(err)
	}
}

// Threads that share their files are told from one that does not.
func TestSameFiles(t *testing.T) {
	release := make(chan bool)
	defer close(release)
	thread := func(prepare func() error) int {
		tid := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with this
			if err := prepare(); err != nil {
				t.Error(err)
			}
			tid <- unix.Gettid()
			<-release
		}()
		return <-tid
	}
	shares := func() error { return nil }
	one, other, alone := thread(shares), thread(shares), thread(func() error { return unix.Unshare(unix.CLONE_FILES) })
	if byTable(one, other) != 0 {
		t.Error("two threads of one table")
	}
	if byTable(one, alone) == 0 {
		t.Error("a thread with files of its own")
	}
	if byTable(one, 1<<30) == 0 {
		t.Error("a thread that is not there")
	}
}

// What the kernel shows of locks is those of a table of files and of an open file, not those that others have of the
// same file.
func TestLocksOfOthers(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "locked")
	var fds [3]int
	for i := range fds {
		fd, err := unix.Open(name, unix.O_CREAT|unix.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	for i, lock := range []struct{ fd, command int }{{fds[0], unix.F_SETLK}, {fds[1], unix.F_OFD_SETLK}, {fds[1], unix.F_OFD_SETLK}} {
		part := unix.Flock_t{Type: unix.F_RDLCK, Start: int64(i) * 2, Len: 1}
		if err := unix.FcntlFlock(uintptr(lock.fd), lock.command, &part); err != nil {
			t.Fatal(err)
		}
	}
	infos, err := unix.Open("/proc/thread-self/fdinfo", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := nothingSeen("/proc")
	for i, want := range [][2]uint64{{1, 0}, {0, 2}, {0, 0}} {
		if got := o.readLocks(infos, fmt.Sprint(fds[i])); [2]uint64{got.own, got.shared} != want {
			t.Errorf("descriptor %d: %+v, want %v", i, got, want)
		}
	}
	here := table{container: "a", tid: unix.Gettid(), locked: map[string]bool{}}
	for i := range fds[:2] {
		copied, err := unix.Dup(fds[i])
		if err != nil {
			t.Fatal(err)
		}
		first, again := o.locks(here, infos, fmt.Sprint(copied)), o.locks(here, infos, fmt.Sprint(fds[i]))
		if want := uint64(i+1) * behindLock; first != want || again != 0 {
			t.Errorf("descriptor %d: %d bytes, once more %d; want %d and none", i, first, again, want)
		}
	}
	if byFile(&locker{tid: here.tid, fd: fds[0]}, &locker{tid: here.tid, fd: fds[1]}) == 0 {
		t.Error("two open files of the same name are one")
	}
	// A long text comes in parts, which end within lines.
	o.buffer = o.buffer[:128]
	for i := range 100 {
		part := unix.Flock_t{Type: unix.F_RDLCK, Start: int64(i) * 2, Len: 1}
		if err := unix.FcntlFlock(uintptr(fds[2]), unix.F_OFD_SETLK, &part); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.readLocks(infos, fmt.Sprint(fds[2])); got.shared != 100 {
		t.Errorf("%+v, want 100", got)
	}
}
