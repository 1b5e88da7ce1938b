package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const ownV1 = "3:memory:/user/me\n2:cpu,cpuacct:/other\n1:name=systemd:/\n0::/unified/me\n"

// hierarchy lays out what a cgroup mount looks like.
func hierarchy(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestLocate(t *testing.T) {
	v2 := hierarchy(t, map[string]string{"cgroup.controllers": "cpu memory\n"})
	v1 := hierarchy(t, map[string]string{"memory/tasks": "", "cpu/tasks": "", "systemd/tasks": ""})
	for name, tt := range map[string]struct {
		root, cgroupsPath string
		want              []string
	}{
		"v2":             {v2, "", []string{"unified/web"}},
		"v2 absolute":    {v2, "/pods/a", []string{"pods/a"}},
		"v2 relative":    {v2, "pods/a", []string{"unified/pods/a"}},
		"v2 above":       {v2, "/../../a", []string{"a"}},
		"v1, own groups": {v1, "", []string{"cpu/other/web", "memory/user/me/web", "systemd/web"}},
		"v1 absolute":    {v1, "/pods", []string{"cpu/pods", "memory/pods", "systemd/pods"}},
	} {
		g, err := locate(tt.root, ownV1, tt.cgroupsPath, "web")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, dir := range g.dirs {
			got = append(got, strings.TrimPrefix(dir, tt.root+"/"))
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestStats(t *testing.T) {
	want := Stats{Memory: Memory{Current: 4096, Files: 512}, CPU: 1500 * time.Microsecond, Pids: 3, OOMKills: 2}
	v2 := hierarchy(t, map[string]string{
		"cgroup.controllers": "", "a/cpu.stat": "usage_usec 1500\nuser_usec 1\n", "a/memory.current": "4096\n",
		"a/memory.stat": "anon 7\nshmem 512\nshmem_thp 9\n", "a/memory.events": "low 0\noom 5\noom_kill 2\n", "a/pids.current": "3\n",
	})
	v1 := hierarchy(t, map[string]string{
		"cpuacct/a/cpuacct.usage": "1500000\n", "memory/a/memory.usage_in_bytes": "4096\n",
		"memory/a/memory.stat": "shmem 1\ntotal_shmem 512\n", "memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "pids/a/pids.current": "3\n",
	})
	for name, root := range map[string]string{"v2": v2, "v1": v1} {
		g, err := locate(root, "", "/a", "a")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := g.Stats(); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// A file is read whole, however long.
func TestRead(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 70000} {
		want := strings.Repeat("x", n)
		name := filepath.Join(hierarchy(t, map[string]string{"f": want}), "f")
		if got, err := read(name); err != nil || string(got) != want {
			t.Errorf("%d bytes of %d, %v", len(got), n, err)
		}
	}
	if _, err := read(t.TempDir() + "/none"); !gone(err) {
		t.Errorf("%v is not one of a file that is gone", err)
	}
	if _, err := read(t.TempDir()); err == nil {
		t.Error("a directory is read")
	}
}

// A kernel without a controller leaves its figures out.
func TestStatsWithoutControllers(t *testing.T) {
	root := hierarchy(t, map[string]string{"cgroup.controllers": "", "a/cpu.stat": "usage_usec 1000\n"})
	g, err := locate(root, "", "/a", "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Stats(); err != nil || got != (Stats{CPU: time.Millisecond}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMake(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"v2": {map[string]string{"cgroup.controllers": ""}, []string{"pods/web"}},
		"v1": {map[string]string{"memory/tasks": "", "cpu/tasks": ""}, []string{"memory/pods/web", "cpu/pods/web"}},
	} {
		root := hierarchy(t, tt.files)
		m := Make{Name: "pods/web", Root: root}
		for range 2 { // one that is there is left as it is
			undo, err := m.Apply(context.Background(), 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range tt.want {
				if info, err := os.Stat(filepath.Join(root, dir)); err != nil || !info.IsDir() {
					t.Errorf("%s: %v", name, err)
				}
			}
			defer func() {
				if err := undo(); err != nil {
					t.Error(err)
				}
			}()
		}
	}
}

func TestMakeUndo(t *testing.T) {
	root := hierarchy(t, map[string]string{"cgroup.controllers": "", "there/x": ""})
	undo, err := Make{Name: "there/new/deep", Root: root}.Apply(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(root + "/there/*")
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "x" {
		t.Errorf("left: %q, %v", left, err)
	}
}
