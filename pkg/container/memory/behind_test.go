package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

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
		table := "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\nffff 2 1 00000000 400000 0 0 2 0 77\nffff 2 1 00000000 100 0 0 2 0 78\n"
		if err := os.WriteFile(filepath.Join(dir, "net/netlink"), []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, target := range append([]string{"net:[1]"}, targets...) {
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
	has(9, 92, "socket:[78]")
	if err := os.MkdirAll(filepath.Join(proc, "5/task/5"), 0o700); err != nil {
		t.Fatal(err)
	}
	named := func(fd string) string {
		if link(fd) == "socket:[12]" {
			return "TCP"
		}
		return "NETLINK"
	}
	same := func(a, b int) bool { return a == 91 && b == 92 }
	for _, tt := range []struct {
		pids       []int
		most, want uint64
	}{
		{[]int{1}, mb, 400000 + 2*behindSocket},
		{[]int{2}, mb, 0},
		{[]int{2, 99, 1}, mb, 400000 + 2*behindSocket},
		{[]int{1, 4, 1}, mb, 400000 + 2*behindSocket},
		{[]int{3}, 10 * mb, 1000 * behindSocket},
		{[]int{3, 1}, mb, mb},
		{[]int{5}, mb, behindSocket},
		{[]int{7}, mb, behindSocket},
		{[]int{9}, mb, 0},
		{nil, mb, 0},
	} {
		if got := (open{proc: proc, protocol: named, sameFiles: same}).behind(tt.pids, tt.most); got != tt.want {
			t.Errorf("%v up to %d: %d, want %d", tt.pids, tt.most, got, tt.want)
		}
	}
}

// The kernel's attribute tells what a socket is.
func TestProtocol(t *testing.T) {
	for want, family := range map[string]int{"NETLINK": unix.AF_NETLINK, "UNIX": unix.AF_UNIX} {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := protocol(fmt.Sprintf("/proc/self/fd/%d", fd)); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %s", got, want)
		}
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
	if got := protocol("/dev/null"); got != "" {
		t.Errorf("/dev/null is %q", got)
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
