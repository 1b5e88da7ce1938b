package container

import (
	"fmt"
	"os"
	"testing"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Groups that are there because a path names them go with the last container in
// them, also when the engine that started it is gone.
func TestNestedGroupsGoWithTheLast(t *testing.T) {
	e, root := grouped(t), containers(t)
	top := fmt.Sprintf("nest-t%d", os.Getpid())
	in := func(path string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.CgroupsPath = path }
	}
	there := func(when string, groups map[string]bool) {
		t.Helper()
		for name, want := range groups {
			if got := exists("/sys/fs/cgroup/" + top + name); got != want {
				t.Errorf("%s: %s%s is there: %v, want %v", when, top, name, got, want)
			}
		}
	}
	one := shape{name: "nest1", section: bundle.Services, script: "sleep 1000", spec: in("/" + top + "/a/one")}.lay(t, root)
	two := shape{name: "nest2", section: bundle.Services, script: "sleep 1000", spec: in(top + "/a/two")}.lay(t, root)
	before := state(t, e, root)
	c1, c2 := start(t, e, one), start(t, e, two)
	must(t, c1.Kill())
	must(t, c1.Cleanup())
	there("one has ended", map[string]bool{"/a/one": false, "/a/two": true})
	must(t, c2.Kill())
	must(t, e.Clean(two))
	there("both have ended", map[string]bool{"": false})
	must(t, c2.Cleanup())
	same(t, before, state(t, e, root))

	// What somebody else has made stays, as does what a bundle lists.
	must(t, os.Mkdir("/sys/fs/cgroup/"+top, 0o755))
	c1 = start(t, e, one)
	lists := shape{name: "nest3", section: bundle.Services, script: "sleep 1000", runtime: bundle.Runtime{Cgroups: []string{top + "/a"}}}.lay(t, root)
	c3 := start(t, e, lists)
	for _, c := range []*Container{c1, c3} {
		must(t, c.Kill())
		must(t, c.Cleanup())
	}
	there("all have ended", map[string]bool{"": true, "/a": true, "/a/one": false})
	must(t, os.Remove("/sys/fs/cgroup/"+top+"/a"))
	must(t, os.Remove("/sys/fs/cgroup/"+top))
}
