package quota

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/test/skip"
)

const mb = 1 << 20

func TestDivide(t *testing.T) {
	for name, tt := range map[string]struct {
		facts Facts
		want  Quota
	}{
		"a small machine": {Facts{Memory: 48 * mb, Tasks: 500}, Quota{Memory: 32 * mb, Pids: 250,
			Terminals: 58, EachTerminals: 14, EachMemory: 28 * mb, EachPids: 64, Layers: 16 * mb, Shared: 24 * mb}},
		"a usual one": {Facts{Memory: 1024 * mb, Tasks: 7000}, Quota{Memory: 944 * mb, Pids: 6744,
			Terminals: 292, EachTerminals: 73, EachMemory: 826 * mb, EachPids: 843, Layers: 472 * mb, Shared: 708 * mb}},
		"a large one": {Facts{Memory: 64 << 30, Tasks: 32768}, Quota{Memory: 64448 * mb, Pids: 32512,
			Terminals: 3978, EachTerminals: 994, EachMemory: 56392 * mb, EachPids: 1000, Layers: 32224 * mb, Shared: 48336 * mb}},
		"with onshutdown containers": {Facts{Memory: 1024 * mb, Tasks: 7000, Onshutdown: true}, Quota{Memory: 826 * mb, Pids: 5901,
			Onshutdown: cgroup.Limit{Memory: 118 * mb, Pids: 843},
			Terminals:  292, EachTerminals: 73, EachMemory: 826 * mb / 8 * 7, EachPids: 843, Layers: 413 * mb, Shared: 826 * mb / 4 * 3}},
		"a small machine with them": {Facts{Memory: 48 * mb, Tasks: 500, Onshutdown: true}, Quota{Memory: 24 * mb, Pids: 188,
			Onshutdown: cgroup.Limit{Memory: 8 * mb, Pids: 62},
			Terminals:  58, EachTerminals: 14, EachMemory: 21 * mb, EachPids: 64, Layers: 12 * mb, Shared: 18 * mb}},
		"no memory controller": {Facts{Tasks: 7000}, Quota{Pids: 6744, EachPids: 843}},
		"no pids controller": {Facts{Memory: 1024 * mb}, Quota{Memory: 944 * mb,
			Terminals: 292, EachTerminals: 73, EachMemory: 826 * mb, Layers: 472 * mb, Shared: 708 * mb}},
		"no controllers": {},
	} {
		if got := Divide(tt.facts); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// Whatever the machine: something is kept back, and what all layers may have, as
// what all file systems that outlive containers may have, fits into the rest.
func TestDivisionFits(t *testing.T) {
	for memory := uint64(8 * mb); memory < 1<<40; memory += memory / 3 {
		q := Divide(Facts{Memory: memory, Tasks: memory >> 18, Onshutdown: true})
		if q.Memory+q.Onshutdown.Memory >= memory || q.Pids+q.Onshutdown.Pids >= memory>>18 || q.EachMemory >= q.Memory {
			t.Errorf("%d bytes: nothing is kept back: %+v", memory, q)
		}
		for _, n := range []int{0, 1, 2, 3, 10, 50} {
			if each := q.Kept(n); each*uint64(n) > q.Memory/4 {
				t.Errorf("%d bytes: %d containers keep %d each", memory, n, each)
			}
			if each := q.Layer(n); each*uint64(max(n, 2)) > q.Layers || each%4096 != 0 {
				t.Errorf("%d bytes: %d layers of %d in %d", memory, n, each, q.Layers)
			}
		}
		var sum uint64
		for _, size := range q.Resize(memory + 50*mb) {
			sum += size
		}
		if sum > q.Shared {
			t.Errorf("%d bytes: %d shared, want at most %d", memory, sum, q.Shared)
		}
	}
}

// A machine with room keeps LinuxKit's sizes.
func TestResizeLeavesRoomAlone(t *testing.T) {
	q := Quota{Shared: 1100 * mb}
	got := q.Resize(1000 * mb)
	if got["/var"] != 500*mb || got["/run"] != 100*mb || got["/tmp"] != 100*mb {
		t.Errorf("%v", got)
	}
}

// A file system in memory becomes smaller, and gets no more inodes than it had.
func TestBoundMounted(t *testing.T) {
	if os.Getuid() != 0 {
		skip.Test(t, skip.Root)
	}
	dir := t.TempDir()
	if err := (mount.Mount{Source: "x", Target: dir, Type: "tmpfs", Flags: unix.MS_NODEV, Data: []string{"size=64m", "nr_inodes=99"}}).Do(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := mount.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	var st unix.Statfs_t
	if err := errors.Join(bound(dir, 8*mb), unix.Statfs(dir, &st)); err != nil || st.Files != 99 || st.Blocks*uint64(st.Bsize) != 8*mb || st.Flags&unix.MS_NODEV == 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

// System V objects are bounded by the memory that they take at most, and never raised.
func TestBoundSystemV(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bound")
	for _, tt := range []struct {
		target, now, want string
	}{
		{shmall, "18446744073692774399\n", "2048"},
		{shmall, "255\n", "255\n"},
		{msgmni, "32000\n", "7"},
		{msgmni, "6\n", "6\n"},
		{sem, "32000\t1024000000\t500\t32000\n", "32000 65536 500 8192"},
		{sem, "32000\t64000\t500\t32000\n", "32000 64000 500 8192"},
		{queuesMax, "256\n", "93"},
		{sem, "250\t32000\t32\t128\n", "250\t32000\t32\t128\n"},
	} {
		if err := os.WriteFile(file, []byte(tt.now), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := bounder(tt.target)(file, 8*mb); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != tt.want {
			t.Errorf("%s %q became %q, %v; want %q", tt.target, tt.now, got, err, tt.want)
		}
	}
	if err := boundPages(file+"-none", mb); err != nil {
		t.Errorf("a kernel without: %v", err)
	}
	if err := boundQueues(file, mb); err == nil {
		t.Error("four numbers in the place of one are no fault")
	}
}

// A socket has room for what programs ask for, and on a large machine what the kernel gives it.
func TestOptions(t *testing.T) {
	for memory, want := range map[uint64]uint64{0: 2048, 114 * mb: 2048, 512 * mb: 8192, 2048 * mb: 32768} {
		if got := (Quota{Memory: memory}).options(); got != want {
			t.Errorf("%d MB: %d bytes, want %d", memory/mb, got, want)
		}
	}
}

func TestDouble(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limit")
	if err := errors.Join(double(file), os.WriteFile(file, []byte("528482304\n"), 0o600), double(file)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "1056964608" {
		t.Errorf("%q, %v", got, err)
	}
}

// What the kernel refuses to have doubled stays.
func TestDoubleOfTooMuch(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this
	skip.UnlessRoot(t, "makes a network namespace")
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	const file = "/proc/sys/net/ipv4/ip_default_ttl" // 255 at most
	if err := errors.Join(os.WriteFile(file, []byte("200"), 0), double(file)); err != nil {
		t.Fatal(err)
	}
	if got, err := readNumber(file); err != nil || got != 200 {
		t.Errorf("%d, %v", got, err)
	}
}

// However small the machine, there is a queue.
func TestBoundLeavesOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "msgmni")
	if err := os.WriteFile(file, []byte("32000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := boundQueues(file, mb); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOpenKeepsTheFirstFacts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, factsFile), []byte("1073741824 7000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q, first, err := Open(dir, false)
	if err != nil || first || q != Divide(Facts{Memory: 1 << 30, Tasks: 7000}) {
		t.Errorf("%+v, first %v, %v", q, first, err)
	}
	other := t.TempDir()
	q, first, err = Open(other, false)
	if err != nil || !first {
		t.Fatalf("first %v, %v", first, err)
	}
	again, first, err := Open(other, false)
	if err != nil || first || again != q {
		t.Errorf("again %+v, first %v, %v; want %+v", again, first, err, q)
	}
}
