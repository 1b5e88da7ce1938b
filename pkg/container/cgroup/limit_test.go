package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What holds more than one container is no container's group, by whatever name.
func TestNotAContainersGroup(t *testing.T) {
	v2 := hierarchy(t, map[string]string{"cgroup.controllers": "cpu memory\n"})
	v1 := hierarchy(t, map[string]string{"memory/tasks": "", "cpu/tasks": ""})
	const ownV2 = "0::/a/b/c\n"
	for name, tt := range map[string]struct {
		root, own string
		refused   []string
		taken     []string
	}{
		"v2": {v2, ownV2,
			[]string{"/", ".", "..", "//", "/.", "/../..", "/a", "/a/b", "/a/b/c", "a/../..", "c", "/x/../a",
				"/containers", "/containers/", "/containers/.", "/containers/db", "/containers/db/x", "/x/../containers", "/onshutdown", "/onshutdown/db"},
			[]string{"", "/d", "/a/d", "/a/b/cc", "/a/b/c/d", "d", "../b", "/containers/web", "/containers/web/x", "/onshutdown/web", "/containersx", "x/containers"}},
		"v2, in the root": {v2, "0::/\n",
			[]string{"/", ".", "..", "//", "./", "a/..", "/containers", "containers", "containers/db"},
			[]string{"", "a", "/a", "../a", "/containers/web"}},
		"v1": {v1, "3:memory:/user/me\n2:cpu:/\n",
			[]string{"/", "//", "/user", "/user/me", ".", "..", "/containers/db"},
			[]string{"", "/user/you", "/pods/a", "a"}},
	} {
		for _, p := range tt.refused {
			if g, err := locate(tt.root, tt.own, p, "web"); !errors.Is(err, ErrNotAContainers) || len(g.dirs) != 0 {
				t.Errorf("%s: %q is %v, %v", name, p, g, err)
			}
		}
		for _, p := range tt.taken {
			if _, err := locate(tt.root, tt.own, p, "web"); err != nil {
				t.Errorf("%s: %q: %v", name, p, err)
			}
		}
	}
}

func TestProtected(t *testing.T) {
	for _, tt := range []struct {
		pids []int
		want int
	}{
		{[]int{5, 6}, 0}, {nil, 0}, {[]int{5, 1}, 1}, {[]int{100, 5}, 100}, {[]int{5, 99}, 99},
	} {
		if got := protected(tt.pids, 100, 99); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.pids, got, tt.want)
		}
	}
}

func TestBound(t *testing.T) {
	limit := Limit{Memory: 1 << 30, Pids: 700, Weight: 10}
	for name, tt := range map[string]struct {
		files map[string]string
		group string
		want  map[string]string
	}{
		"v2": {map[string]string{"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "",
			"pods/memory.max": "max\n", "pods/pids.max": "max\n", "pods/cpu.weight": "100\n"}, "/pods/a/b",
			map[string]string{"pods/memory.max": "1073741824", "pods/pids.max": "700", "pods/cpu.weight": "10", "cgroup.subtree_control": "+cpu"}},
		"v2, has some of its own": {map[string]string{"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "cpu memory pids\n",
			"pods/memory.max": "4096\n", "pods/pids.max": "7\n", "pods/cpu.weight": "200\n"}, "pods",
			map[string]string{"pods/memory.max": "4096\n", "pods/pids.max": "7\n", "pods/cpu.weight": "200\n", "cgroup.subtree_control": "cpu memory pids\n"}},
		"v2 without controllers": {map[string]string{"cgroup.controllers": "io\n"}, "/pods", nil},
		"v1": {map[string]string{"memory/pods/memory.limit_in_bytes": "9223372036854771712\n", "pids/pods/pids.max": "max\n", "cpu/pods/cpu.shares": "1024\n"}, "/../pods/x",
			map[string]string{"memory/pods/memory.limit_in_bytes": "1073741824", "pids/pods/pids.max": "700", "cpu/pods/cpu.shares": "102"}},
	} {
		root := hierarchy(t, tt.files)
		for range 2 {
			if err := bound(root, tt.group, limit); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for file, want := range tt.want {
			if got, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(got) != want {
				t.Errorf("%s: %s is %q, %v, want %q", name, file, got, err, want)
			}
		}
	}
}

func TestBoundNeverTheRoot(t *testing.T) {
	root := hierarchy(t, map[string]string{"cgroup.controllers": "memory\n", "memory.max": "max\n"})
	for _, name := range []string{"/", "", "..", "/a/.."} {
		if err := bound(root, name, Limit{Memory: 1}); !errors.Is(err, ErrNotAContainers) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestMemory(t *testing.T) {
	v2 := hierarchy(t, map[string]string{"cgroup.controllers": "", "a/memory.current": "9000\n", "a/memory.max": "10000\n", "a/memory.peak": "9900\n",
		"a/memory.stat": "anon 1\nfile 5000\nshmem 4000\nactive_file 700\ninactive_file 300\nslab_reclaimable 100\n", "a/memory.events": "max 3\noom 1\noom_kill 1\n"})
	v1 := hierarchy(t, map[string]string{"memory/a/memory.usage_in_bytes": "9000\n", "memory/a/memory.limit_in_bytes": "10000\n",
		"memory/a/memory.max_usage_in_bytes": "9900\n", "memory/a/memory.failcnt": "2\n",
		"memory/a/memory.stat": "shmem 1\ntotal_shmem 4000\ntotal_active_file 800\ntotal_inactive_file 300\n"})
	want := Memory{Current: 9000, Files: 4000, Cache: 1100}
	for name, root := range map[string]string{"v2": v2, "v1": v1} {
		g, err := locate(root, "", "/a", "a")
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Memory()
		if err != nil || got != want || got.Held() != 7900 {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
		if g.MemoryLimit() != 10000 || g.MemoryPeak() != 9900 {
			t.Errorf("%s: limit %d, peak %d", name, g.MemoryLimit(), g.MemoryPeak())
		}
		if !g.GroupOOM() || !g.LimitHit() {
			t.Errorf("%s: its own limit was not hit", name)
		}
	}
	below := hierarchy(t, map[string]string{"cgroup.controllers": "", "a/memory.events": "oom 1\n", "a/memory.events.local": "oom 0\n"})
	if g, err := locate(below, "", "/a", "a"); err != nil || g.LimitHit() || !g.GroupOOM() {
		t.Errorf("a limit below it, not its own, was hit: %v", err)
	}
}

// What a group keeps can be had back no more than what it has taken, whatever it is.
func TestHeld(t *testing.T) {
	for _, tt := range []struct {
		memory      Memory
		held, cache uint64
	}{
		{Memory{Current: 10, Cache: 4}, 6, 0},
		{Memory{Current: 10, Cache: 4, Kept: 5}, 6, 0},
		{Memory{Current: 10, Cache: 4, Kept: 8}, 8, 2},
		{Memory{Current: 10, Cache: 4, Kept: 80}, 10, 4},
		{Memory{Current: 10, Cache: 12}, 0, 0}, // read a moment later
	} {
		if held, cache := tt.memory.Held(), tt.memory.KeptCache(); held != tt.held || cache != tt.cache {
			t.Errorf("%+v: held %d, of it cache %d; want %d, %d", tt.memory, held, cache, tt.held, tt.cache)
		}
	}
}

func TestOuter(t *testing.T) {
	for _, tt := range []struct {
		group Group
		want  string
	}{
		{Group{v2: true, dirs: []string{"/r/onshutdown/save"}}, "/r/onshutdown as /onshutdown"},
		{Group{v2: true, dirs: []string{"/r/web"}}, "/r/web as /web"},
		{Group{dirs: []string{"/r/cpu/pods/a/b", "/r/memory/pods/a/b"}}, "/r/memory/pods as /pods"},
		{Group{dirs: []string{"/r/cpu/pods/a"}}, "/r/cpu/pods/a as "},
	} {
		if g, name := tt.group.outer("/r"); g.String()+" as "+name != tt.want {
			t.Errorf("%s: %s as %s, want %s", tt.group, g, name, tt.want)
		}
	}
}

func TestMembers(t *testing.T) {
	root := hierarchy(t, map[string]string{"cgroup.controllers": "", "containers/web/x": "", "containers/db/x": "", "containers/memory.max": "", "pods/x": ""})
	got, err := members(root)
	if err != nil || len(got) != 2 || !strings.HasSuffix(got["web"].String(), "/containers/web") {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := members(t.TempDir()); err != nil || got != nil {
		t.Errorf("without the group: %v, %v", got, err)
	}
}

// The fullest of the groups that a container lies in says whether there is room.
func TestRoom(t *testing.T) {
	root := hierarchy(t, map[string]string{
		"cgroup.controllers": "pids\n",
		"all/pids.max":       "100\n", "all/pids.current": "90\n",
		"all/web/pids.max": "20\n", "all/web/pids.current": "17\n",
		"all/free/pids.max": "max\n", "all/free/pids.current": "3\n",
		"all/over/pids.max": "2\n", "all/over/pids.current": "3\n",
		"none/cgroup.procs": "",
	})
	for _, tt := range []struct {
		group string
		more  uint64
		want  string
	}{
		{"all/web", 3, ""},
		{"all/web", 4, "/all/web has 17 of at most 20 processes and threads"},
		{"all/free", 10, ""},
		{"all/free", 11, "/all has 90 of at most 100 processes and threads"},
		{"all/over", 1, "/all/over has 3 of at most 2 processes and threads"},
		{"none", 1000, ""},
	} {
		err := Group{v2: true, dirs: []string{root + "/" + tt.group}}.Room(tt.more)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != root+tt.want) {
			t.Errorf("%s, %d more: %v, want %q", tt.group, tt.more, err, tt.want)
		}
	}
	if err := (Group{}).Room(1); err != nil {
		t.Error(err)
	}
}
