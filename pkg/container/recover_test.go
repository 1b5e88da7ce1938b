package container

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/reap"
	"slipway/test/poll"

	"golang.org/x/sys/unix"
)

// byHand has the runtime run a bundle without an engine.
func byHand(t *testing.T, e *Engine, b *bundle.Bundle) reap.Ident {
	t.Helper()
	pidFile := t.TempDir() + "/pid"
	b.Spec = e.one().Fit(b.Spec)
	writeSpec(t, b)
	cmd := exec.Command(e.one().Path, "--root", e.one().Root, "run", "--detach", "--bundle", b.Dir, "--pid-file", pidFile, b.Name)
	status, err := reaper.Run(testContext(t), cmd)
	if err != nil || !status.Success() {
		t.Fatalf("run by hand: %v, %v", status, err)
	}
	data, err := os.ReadFile(pidFile)
	must(t, err)
	id, err := e.one().ReadState(b.Name)
	must(t, err)
	if strings.TrimSpace(string(data)) == "" || !id.Alive() {
		t.Fatalf("%v does not run", id)
	}
	return id
}

// What is left of a container that no record tells of is not in the way.
func TestStaleContainers(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, e *Engine, b *bundle.Bundle, id reap.Ident){
		"runs on": func(*testing.T, *Engine, *bundle.Bundle, reap.Ident) {},
		"crashed": func(t *testing.T, _ *Engine, _ *bundle.Bundle, id reap.Ident) {
			must(t, id.Signal(unix.SIGKILL))
			poll.Until(t, "its end", func() bool { return !id.Alive() })
		},
		"without its state": func(t *testing.T, e *Engine, b *bundle.Bundle, id reap.Ident) {
			must(t, os.WriteFile(e.one().StateFile(b.Name), []byte("{"), 0o600))
		},
		"frozen": func(t *testing.T, e *Engine, b *bundle.Bundle, id reap.Ident) {
			group, err := cgroup.Of("", b.Name)
			must(t, err)
			must(t, group.Freeze(true))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			b := shape{name: "stale", section: bundle.Services, script: "exec sleep 1000"}.lay(t, root)
			before := state(t, e, root)
			must(t, os.MkdirAll(b.Path("rootfs"), 0o755))
			id := byHand(t, e, b)
			damage(t, e, b, id)
			c, err := e.Start(testContext(t), b, IO{})
			must(t, err)
			poll.Until(t, "the end of the stale one", func() bool { return !id.Alive() })
			if !c.Ident().Alive() {
				t.Error("the new one does not run")
			}
			must(t, c.Cleanup())
			same(t, before, state(t, e, root))
		})
	}
}

// A container of another bundle that runs under the same name is told of.
func TestNameOfAnotherBundle(t *testing.T) {
	e, root, elsewhere := testEngine(t), containers(t), containers(t)
	mine := shape{name: "web", section: bundle.Services, script: "exec sleep 1000"}.lay(t, root)
	other := shape{name: "web", section: bundle.Services, script: "exec sleep 1000"}.lay(t, elsewhere)
	id := byHand(t, e, other)
	if _, err := e.Start(testContext(t), mine, IO{}); err == nil || !strings.Contains(err.Error(), "runs already, from "+other.Dir) {
		t.Errorf("error is %v", err)
	}
	if !id.Alive() {
		t.Error("the other container was ended")
	}
	must(t, id.Signal(unix.SIGKILL))
	poll.Until(t, "its end", func() bool { return !id.Alive() })
	c := start(t, e, mine)
	if !c.Ident().Alive() {
		t.Error("the name is not free")
	}
}
