package memory

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway/test/poll"
	"slipway/test/skip"

	"golang.org/x/sys/unix"
)

// Processes are counted by what they have open, not beyond what is asked for; those
// that have ended count nothing.
func TestBehind(t *testing.T) {
	proc := t.TempDir()
	has := func(pid, tid int, targets ...string) {
		dir := filepath.Join(proc, fmt.Sprint(pid), "task", fmt.Sprint(tid))
		for _, sub := range []string{"fd", "ns", "net"} {
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
	has(9, 92, "socket:[78]")
	if err := os.MkdirAll(filepath.Join(proc, "5/task/5"), 0o700); err != nil {
		t.Fatal(err)
	}
	named := func(fd string) bool { return link(fd) != "socket:[12]" }
	same := func(a, b int) bool { return a == 91 && b == 92 }
	const full = 400000 + behindSocket
	for i, tt := range []struct {
		pids   map[string][]int
		enough uint64
		want   map[string]uint64
		sent   uint64
	}{
		{map[string][]int{"a": {1}}, mb, map[string]uint64{"a": full + 100 + behindSocket}, 0},
		{map[string][]int{"a": {2}}, mb, map[string]uint64{"a": 0}, full + 100 + behindSocket},
		{map[string][]int{"a": {2, 99, 1}}, mb, map[string]uint64{"a": full + 100 + behindSocket}, 0},
		{map[string][]int{"a": {1, 4, 1}}, mb, map[string]uint64{"a": full + 100 + behindSocket}, 0},
		{map[string][]int{"a": {4}}, mb, map[string]uint64{"a": full}, 100 + behindSocket},
		{map[string][]int{"a": {4, 5}}, 1000, map[string]uint64{"a": full}, 100 + behindSocket}, // no more is counted
		{map[string][]int{"a": {5}}, mb, map[string]uint64{"a": 100 + behindSocket}, full},
		{map[string][]int{"a": {7}}, mb, map[string]uint64{"a": 100 + behindSocket}, full},
		{map[string][]int{"a": {9}}, mb, map[string]uint64{"a": 0}, full + 100 + behindSocket},
		// One of another network namespace, in which only b is.
		{map[string][]int{"a": {3}, "b": {10}}, 10 * mb, map[string]uint64{"a": 5000 + 1000*behindSocket, "b": 0}, full + 100 + behindSocket},
		{nil, mb, map[string]uint64{}, 0},
	} {
		o := open{proc: proc, isNetlink: named, sameFiles: same, left: map[string]uint64{}, namespaces: map[string]bool{}, counted: map[string]bool{}}
		if got := o.behind(tt.pids, tt.enough); !maps.Equal(got.By, tt.want) || got.Sent != tt.sent {
			t.Errorf("%d: %+v, want %+v and %d sent", i, got, tt.want, tt.sent)
		}
	}
}

func TestOver(t *testing.T) {
	for want, b := range map[string]Behind{
		"":  {Sockets: map[string]int{"a": 999, "b": 3}},
		"a": {Sockets: map[string]int{"a": 1001, "b": 1000}},
	} {
		if got := b.Crowd(); got != want {
			t.Errorf("%v: %q has the most, want %q", b.Sockets, got, want)
		}
	}
	b := Behind{By: map[string]uint64{"a": 5, "b": 4, "c": 6}}
	if got := b.Over(5); len(got) != 2 || !slices.Contains(got, "a") || !slices.Contains(got, "c") {
		t.Errorf("over: %v", got)
	}
}

// The kernel's tables know a socket that this process has, one that is on its way, and
// how many are.
func TestSentSockets(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this
	skip.UnlessRoot(t, "makes a network namespace")
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_FILES); err != nil {
		t.Fatal(err)
	}
	look := func() Behind { // Sent is what is open here
		o := open{proc: "/proc", isNetlink: isNetlink, namespaces: map[string]bool{}, left: map[string]uint64{}, counted: map[string]bool{}}
		o.namespace("/proc/thread-self")
		sum, n := o.ofTask("/proc/thread-self", mb)
		b := Behind{Sent: sum, Sockets: map[string]int{"": n}}
		for _, sum := range o.left {
			b.By = map[string]uint64{"left": sum}
		}
		return b
	}
	for _, name := range []string{"/dev/null", "/"} {
		// Not an os.File: who closes one that is forgotten has other descriptors than this thread.
		if fd, err := unix.Open(name, unix.O_PATH, 0); err != nil || isNetlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd)) {
			t.Errorf("%v, %s is a socket", err, name)
		}
	}
	before := look() // the namespace has some of the kernel's own, which have no inode
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
		if got := look(); got.Sent != before.Sent+behindSocket {
			t.Errorf("open: %+v, before %+v", got, before)
		}
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := unix.Sendmsg(ends[0], []byte{1}, unix.UnixRights(fd, fd), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if got := look(); got.Sent != before.Sent || got.By["left"] < behindSocket {
		t.Errorf("on its way: %+v, before %+v", got, before)
	}
	var all Hidden
	descriptors("/proc/thread-self", func(fd string) bool { all.add(fdinfo("/proc/thread-self/fdinfo/" + fd)); return true })
	if all.Sent != 6*behindSocket {
		t.Errorf("%+v is on its way, want 6 sockets", all)
	}
}

// Locks of a process, and of a descriptor, are seen beside it.
func TestLocks(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range int64(7) {
		command := unix.F_OFD_SETLK
		if i > 3 {
			command = unix.F_SETLK
		}
		if err := unix.FcntlFlock(f.Fd(), command, &unix.Flock_t{Type: unix.F_RDLCK + 1, Start: 2 * i, Len: 1}); err != nil {
			t.Fatal(err)
		}
	}
	o := open{proc: "/proc", sameFiles: sameFiles}
	if got := o.hidden(os.Getpid(), mb); got.Locks != 7*behindLock {
		t.Errorf("%+v, want that of 7 locks", got)
	}
}

func TestLookers(t *testing.T) {
	hang := make(chan bool)
	var looks atomic.Int32
	l := Lookers{look: func(pid int, _ uint64) Hidden {
		if pid == 9 {
			looks.Add(1)
			<-hang
		}
		return Hidden{Sent: uint64(pid), Locks: 1}
	}}
	got := l.Look(map[string][]int{"a": {1, 2}, "b": {5, 8}, "c": nil}, 5, time.Hour)
	want := map[string]Hidden{"a": {3, 2}, "b": {5, 1}, "c": {}}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// The look at one hangs: others are found all the same, it is not looked at again, and
	// what it finds at last is told.
	for range 3 {
		l.Look(map[string][]int{"hangs": {9}}, 5, 0)
	}
	poll.Until(t, "a look at a", func() bool {
		return l.Look(map[string][]int{"hangs": {9}, "a": {1}}, 5, time.Millisecond)["a"] == Hidden{1, 1}
	})
	close(hang)
	if got := l.Look(nil, 5, time.Hour)["hangs"]; got != (Hidden{9, 1}) || looks.Load() != 1 {
		t.Errorf("%v, after %d looks", got, looks.Load())
	}
}

func TestFree(t *testing.T) {
	m := map[string]uint64{"MemFree": 3, "Active(file)": 4, "Inactive(file)": 5, "MemTotal": 100, "Buffers": 1, "Cached": 20, "SwapCached": 2, "AnonPages": 30}
	for own, want := range map[uint64]uint64{0: 12, 10: 2, 20: 0} {
		if got := free(m, own); got != want {
			t.Errorf("the kernel's own %d: %d, want %d", own, got, want)
		}
	}
	for charged, want := range map[uint64]uint64{0: 44, 40: 4, 50: 0} {
		if got := uncounted(m, charged); got != want {
			t.Errorf("%d charged: %d, want %d", charged, got, want)
		}
	}
	if _, err := meminfo("MemFree", "MemNone"); err == nil || !strings.Contains(err.Error(), "MemNone") {
		t.Errorf("a file that does not say it is no fault: %v", err)
	}
	if _, err := Free(); err != nil {
		t.Error(err)
	}
}

// A machine with or without groups tells what is charged to nobody.
func TestUncounted(t *testing.T) {
	skip.UnlessRoot(t, "reads the group of all containers")
	if _, err := Uncounted(); err != nil {
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
	if !sameFiles(one, other) {
		t.Error("two threads of one table")
	}
	if sameFiles(one, alone) {
		t.Error("a thread with files of its own")
	}
	if sameFiles(one, 1<<30) {
		t.Error("a thread that is not there")
	}
}
