package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Processes are counted by what they have open, not beyond what is asked for; those
// that have ended count nothing.
func TestBehind(t *testing.T) {
	proc := t.TempDir()
	has := func(pid int, targets ...string) {
		dir := filepath.Join(proc, fmt.Sprint(pid))
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
	has(1, "socket:[77]", "socket:[78]", "/dev/null")
	has(2, "/dev/null", "pipe:[77]", "socket:[12]")
	has(3, strings.Split(strings.Repeat("socket:[9] ", 1000), " ")[:1000]...)
	named := func(fd string) string {
		if link(fd) == "socket:[12]" {
			return "TCP"
		}
		return "NETLINK"
	}
	for _, tt := range []struct {
		pids       []int
		most, want uint64
	}{
		{[]int{1}, mb, 400000 + 2*behindSocket},
		{[]int{2}, mb, 0},
		{[]int{2, 9, 1}, mb, 400000 + 2*behindSocket},
		{[]int{3}, 10 * mb, 1000 * behindSocket},
		{[]int{3, 3}, mb, mb},
		{nil, mb, 0},
	} {
		if got := (open{proc, named}).behind(tt.pids, tt.most); got != tt.want {
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
	got, err := free(strings.NewReader("MemTotal: 100 kB\nMemFree: 3 kB\nMemAvailable: 50 kB\nActive(file): 4 kB\nInactive(file): 5 kB\n"))
	if err != nil || got != 12<<10 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := free(strings.NewReader("MemTotal: 100 kB\n")); err == nil {
		t.Error("a file that says nothing is no fault")
	}
}
