package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestLimited(t *testing.T) {
	limits := Limits{Group: true, All: cgroup.Limit{Memory: 800, Pids: 700}, Pids: 100, Memory: 600, Layer: 100 << 10, Onshutdown: cgroup.Limit{Memory: 60, Pids: 20}}
	var five, none int64 = 5, 0
	for name, tt := range map[string]struct {
		limits    Limits
		section   bundle.Section
		policy    int64
		path      string
		resources *specs.LinuxResources
		want      string // group, tasks, memory
	}{
		"nothing is said":       {limits, bundle.Services, 0, "", nil, "/containers/web 100 600"},
		"a policy":              {limits, bundle.Services, 30, "", &specs.LinuxResources{}, "/containers/web 30 600"},
		"as many as all":        {limits, bundle.Services, bundle.NoLimit, "", nil, "/containers/web 700 600"},
		"LinuxKit's resources":  {limits, bundle.Services, 30, "", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &five}, Memory: &specs.LinuxMemory{Limit: &five}}, "/containers/web 5 5"},
		"resources without":     {limits, bundle.Services, 0, "", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &none}, Memory: &specs.LinuxMemory{Swap: &five}}, "/containers/web 100 600"},
		"a group of its own":    {limits, bundle.Services, 0, "/pods/a", nil, "/pods/a 100 600"},
		"no pids controller":    {Limits{Group: true, Memory: 600}, bundle.Services, 30, "", nil, "/containers/web 0 600"},
		"no memory controller":  {Limits{Group: true, Pids: 100}, bundle.Services, 0, "", nil, "/containers/web 100 0"},
		"no limits":             {Limits{}, bundle.Services, 30, "", nil, " 0 0"},
		"onshutdown":            {limits, bundle.Onshutdown, 0, "", nil, "/onshutdown/web 20 60"},
		"as many as onshutdown": {limits, bundle.Onshutdown, bundle.NoLimit, "", nil, "/onshutdown/web 20 60"},
	} {
		b := &bundle.Bundle{Name: "web", Section: tt.section, Policy: bundle.Policy{Pids: tt.policy},
			Spec: &specs.Spec{Linux: &specs.Linux{CgroupsPath: tt.path, Resources: tt.resources}}}
		before, err := json.Marshal(b.Spec)
		must(t, err)
		s := (&Engine{Limits: tt.limits}).limited(b)
		var pids, memory int64
		if r := s.Linux.Resources; r != nil {
			if r.Pids != nil {
				pids = *r.Pids.Limit
			}
			if r.Memory != nil {
				memory = *r.Memory.Limit
			}
		}
		if got := fmt.Sprint(s.Linux.CgroupsPath, " ", pids, " ", memory); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if after, err := json.Marshal(b.Spec); err != nil || string(after) != string(before) {
			t.Errorf("%s: the bundle's own spec was changed: %s", name, after)
		}
	}
}

// A container has so many terminals, unless YAML says how many.
func TestTerminals(t *testing.T) {
	e := &Engine{Limits: Limits{Terminals: 68}}
	spec := &specs.Spec{Mounts: []specs.Mount{
		{Destination: "/proc", Type: "proc"},
		{Destination: "/dev/pts", Type: "devpts", Options: []string{"newinstance"}},
		{Destination: "/more", Type: "devpts", Options: []string{"max=9"}},
	}}
	got := e.limited(&bundle.Bundle{Name: "web", Section: bundle.Services, Spec: spec}).Mounts
	if len(got[0].Options) != 0 || !slices.Equal(got[1].Options, []string{"newinstance", "max=68"}) || !slices.Equal(got[2].Options, []string{"max=9"}) {
		t.Errorf("%v", got)
	}
	if len(spec.Mounts[1].Options) != 1 {
		t.Errorf("the bundle's own spec was changed: %v", spec.Mounts)
	}
}

// A container keeps its share of memory, unless YAML says how much.
func TestKept(t *testing.T) {
	e := &Engine{Limits: Limits{Kept: 4096}}
	for name, tt := range map[string]struct {
		unified map[string]string
		want    map[string]string
	}{
		"nothing is said": {nil, map[string]string{"memory.min": "4096"}},
		"something else":  {map[string]string{"cpu.weight": "3"}, map[string]string{"cpu.weight": "3", "memory.min": "4096"}},
		"another share":   {map[string]string{"memory.min": "0"}, map[string]string{"memory.min": "0"}},
	} {
		said := maps.Clone(tt.unified)
		b := &bundle.Bundle{Name: "web", Section: bundle.Services,
			Spec: &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{Unified: tt.unified}}}}
		if got := e.limited(b).Linux.Resources.Unified; !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if !maps.Equal(tt.unified, said) {
			t.Errorf("%s: the bundle's own spec was changed: %v", name, tt.unified)
		}
	}
}

// grouped is an engine whose containers live in one group, as on a machine.
func grouped(t testing.TB) *Engine {
	e := testEngine(t)
	e.Limits = Limits{Group: true, Layer: 256 << 10}
	return e
}

func TestContainersLiveInOneGroup(t *testing.T) {
	for name, wired := range map[string]bundle.Runtime{
		"run": {}, "create and start": {Interfaces: []bundle.Interface{{Name: "group0", Add: "bridge"}}},
	} {
		t.Run(name, func(t *testing.T) {
			e, root := grouped(t), containers(t)
			b := shape{name: "grouped", section: bundle.Services, script: "sleep 1000", spec: ownNamespaces, runtime: wired}.lay(t, root)
			before := state(t, e, root)
			c := start(t, e, b)
			want := "/sys/fs/cgroup/containers/" + b.Name
			if c.Group().String() != want {
				t.Errorf("its group is %s, want %s", c.Group(), want)
			}
			own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Ident().Pid))
			if err != nil || !strings.Contains(string(own), "0::/containers/"+b.Name+"\n") {
				t.Errorf("it lives in %s, %v", own, err)
			}
			// The next supervisor finds the same.
			attached, err := e.Attach(b, c.Ident())
			must(t, err)
			must(t, attached.Kill())
			if populated, err := c.Group().Populated(); err != nil || populated {
				t.Errorf("killed and still populated: %v", err)
			}
			must(t, attached.Cleanup())
			same(t, before, state(t, e, root))
			if exists(want) {
				t.Error("its group is left")
			}
		})
	}
}

// A supervisor that puts containers elsewhere, such as one of an earlier version,
// is followed by one that finds them.
func TestContainersOfAnotherEnginesGroup(t *testing.T) {
	e, root := grouped(t), containers(t)
	old := &Engine{Runtimes: e.Runtimes, Reaper: e.Reaper, Log: e.Log, RunDir: e.RunDir}
	b := shape{name: "moved", section: bundle.Services, script: "sleep 1000"}.lay(t, root)
	before := state(t, e, root)
	for name, pair := range map[string][2]*Engine{"into one group": {old, e}, "and back": {e, old}} {
		first, err := pair[0].Start(testContext(t), b, IO{})
		must(t, err)
		attached, err := pair[1].Attach(b, first.Ident())
		must(t, err)
		if attached.Group().String() != first.Group().String() {
			t.Errorf("%s: attached to %s, want %s", name, attached.Group(), first.Group())
		}
		second, err := pair[1].Start(testContext(t), b, IO{})
		must(t, err)
		if first.Ident().Alive() || first.Group().Exists() {
			t.Errorf("%s: the first container is still there", name)
		}
		must(t, second.Cleanup())
		same(t, before, state(t, e, root))
	}
}

// A group that is not the container's alone is refused before anything is made,
// and nobody is killed: neither now nor by the clean-up of the next start.
func TestGroupsOfOthersAreRefused(t *testing.T) {
	e, root := grouped(t), containers(t)
	victim := start(t, e, shape{name: "victim", section: bundle.Services, script: "sleep 1000"}.lay(t, root))
	for _, path := range []string{"/", ".", "..", "//", "/..", "/containers", "containers", "/containers/../", victim.Group().String()[len("/sys/fs/cgroup"):]} {
		b := shape{name: "bad", write: true, script: "exit 0", spec: func(s *specs.Spec) { s.Linux.CgroupsPath = path }}.lay(t, root)
		before := state(t, e, root)
		for range 2 {
			_, err := e.Start(testContext(t), b, IO{})
			if !errors.Is(err, cgroup.ErrNotAContainers) {
				t.Errorf("%q: %v", path, err)
			}
		}
		// As if we had been killed over it.
		must(t, os.MkdirAll(e.dir(b), 0o700))
		must(t, e.Clean(b))
		same(t, before, state(t, e, root))
		must(t, os.RemoveAll(b.Dir))
	}
	if !victim.Ident().Alive() {
		t.Error("the victim was killed")
	}
}

// The writable layer gets the machine's size, and as many inodes as fit.
func TestLayerIsBounded(t *testing.T) {
	for name, seed := range map[string]bool{"today": false, "seed": true} {
		t.Run(name, func(t *testing.T) {
			e, root := grouped(t), containers(t)
			e.Limits.Layer = 8 << 20
			for what, script := range map[string]string{
				"bytes":  "cat /dev/zero > /full",
				"inodes": "mkdir /d && cd /d && i=0; while [ $i -lt 5000 ]; do i=$((i+1)); : > $i || exit 1; done",
			} {
				b := shape{name: "000-full-" + what, write: true, seed: seed, script: script, spec: func(s *specs.Spec) {
					s.Mounts = append(s.Mounts, specs.Mount{Source: "/dev/zero", Destination: "/dev/zero", Type: "bind", Options: []string{"bind"}})
				}}.lay(t, root)
				before := state(t, e, root)
				if code, text := runToEnd(t, e, b); code == 0 || !strings.Contains(text, "No space left") {
					t.Errorf("%s: exit status %d, %q", what, code, text)
				}
				same(t, before, state(t, e, root))
			}
		})
	}
}

func TestExplicitSizeWins(t *testing.T) {
	e, root := grouped(t), containers(t)
	b := shape{name: "000-size", write: true, policy: map[string]string{"slipway.upper": "tmpfs:16M"},
		script: "i=0; while [ $i -lt 8 ]; do i=$((i+1)); cat /bin/busybox >> /big || exit 1; done"}.lay(t, root)
	if code, text := runToEnd(t, e, b); code != 0 {
		t.Errorf("exit status %d, %q", code, text)
	}
	if left, err := filepath.Glob(b.Path("tmp", "*")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
