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
		b := Behind{Sent: o.ofTask("/proc/thread-self", mb)}
		for _, sum := range o.left {
			b.By = map[string]uint64{"left": sum}
		}
		return b
	}
	for _, f := range []string{"/dev/null", "/"} {
		if f, err := os.Open(f); err != nil || isNetlink(fmt.Sprintf("/proc/thread-self/fd/%d", f.Fd())) {
			t.Errorf("%v, %v is a socket", err, f)
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
	var n uint64
	sockets("/proc/thread-self", func(fd, _ string) bool { n += scmFDs("/proc/thread-self/fdinfo/" + fd); return true })
	if n != 6 {
		t.Errorf("%d descriptors are on their way, want 6", n)
	}
}

func TestSenders(t *testing.T) {
	hang := make(chan bool)
	defer close(hang)
	var looks atomic.Int32
	s := Senders{sent: func(pid int) uint64 {
		if pid == 9 {
			looks.Add(1)
			<-hang
		}
		return uint64(pid)
	}}
	for _, tt := range []struct {
		pids map[string][]int
		want string
	}{
		{map[string][]int{"a": {1, 2}, "b": {2}, "c": {0}}, "a"},
		{map[string][]int{"a": {0}}, ""},
		{nil, ""},
	} {
		if got, _ := s.Most(tt.pids, time.Hour); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.pids, got, tt.want)
		}
	}
	// The look at one hangs: others are found all the same, and it is not looked at again.
	for range 3 {
		s.Most(map[string][]int{"hangs": {9}}, 0)
	}
	if got, n := s.Most(map[string][]int{"hangs": {9}, "a": {1}}, time.Hour); got != "a" || n != 1 || looks.Load() > 1 {
		t.Errorf("%q, after %d looks", got, looks.Load())
	}
}

func TestFree(t *testing.T) {
	const text = "MemTotal: 100 kB\nMemFree: 3 kB\nMemAvailable: 50 kB\nActive(file): 4 kB\nInactive(file): 5 kB\n"
	for own, want := range map[uint64]uint64{0: 12 << 10, 10 << 10: 2 << 10, 20 << 10: 0} {
		if got, err := free(strings.NewReader(text), own); err != nil || got != want {
			t.Errorf("the kernel's own %d: %d, %v, want %d", own, got, err, want)
		}
	}
	if _, err := free(strings.NewReader("MemTotal: 100 kB\n"), 0); err == nil {
		t.Error("a file that says nothing is no fault")
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
