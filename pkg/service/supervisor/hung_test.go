package supervisor

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/test/hung"
	"slipway/test/poll"
	"slipway/test/skip"
)

// soon is how long a test waits for what hangs.
const soon = 10 * time.Millisecond

// Starts that hang in the kernel, as many as there are places, fail after their
// time: the others start, those too that come after them, and the boot is over.
// When the disk is back what was begun is taken away, once.
func TestStartsThatHangHoldUpNobody(t *testing.T) {
	m := prepare(t, "", "a stuck ready-timeout=20ms restart=no", "b stuck ready-timeout=20ms restart=no",
		"c stuck ready-timeout=20ms restart=no", "other run", "later run after=a,b,c", "needs run requires=a")
	m.bounds.undo = soon
	m.start()
	m.await("later", state.Ready)
	m.await("other", state.Ready)
	for _, name := range []string{"a", "b", "c"} {
		m.await(name, state.Cleaning)
	}
	if strings.Contains(m.engine.Happened(), "clean a") {
		t.Error("it is cleaned up while its start goes on")
	}
	v, err := remote{m.sup}.One(t.Context(), "a")
	if err != nil || v.Cause != "not started after 20ms: its start hangs: waits in the kernel" {
		t.Errorf("%q, %v", v.Cause, err)
	}
	close(m.engine.Disk)
	for _, name := range []string{"a", "b", "c", "needs"} {
		m.await(name, state.Failed)
	}
	m.awaitReady()
	if got := m.engine.Happened(); strings.Count(got, "clean a") != 1 || strings.Index(got, "back a") > strings.Index(got, "clean a") {
		t.Errorf("%s", got)
	}
}

// Starts that hang in a call on a disk, more than there are places, are found out:
// others start at once, and each says what it hangs in. They go on with the disk.
func TestStartsThatHangLeaveTheirPlaces(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	t.Run("ours", func(t *testing.T) { startsHang(t, false) })
	t.Run("of a dead supervisor", func(t *testing.T) { startsHang(t, true) })
}

func startsHang(t *testing.T, found bool) {
	m := prepare(t, "", "a run", "b run", "c run", "d run")
	m.bounds.look = soon
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceValue(release)
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	look := func(b *bundle.Bundle) {
		if b.Name == "d" {
			return
		}
		if _, err := os.Stat(dir + "/x"); err == nil {
			t.Error("there is a file")
		}
	}
	if m.engine.Finds = look; !found {
		m.engine.Says = func(b *bundle.Bundle) (string, string) { look(b); return "", "" }
	}
	for _, name := range []string{"a", "b", "c"} {
		if found {
			m.keep(name, `{"name":"`+name+`","state":"starting","wanted":true,"run":1}`)
		}
	}
	m.start()
	m.await("d", state.Ready)
	for _, name := range []string{"a", "b", "c"} {
		poll.Until(t, name+" hangs", func() bool {
			v, err := remote{m.sup}.One(t.Context(), name)
			// Where it hangs is said of this machine: one of its disks may be slow just now.
			if err != nil || v.State != state.Starting {
				t.Fatalf("%s is %s, hangs: %q, %v", name, v.State, v.Hangs, err)
			}
			return v.Hangs != ""
		})
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		m.await(name, state.Ready)
	}
	m.awaitReady()
}

// At the end of the machine nobody waits for a start, or a clean-up, that hangs.
func TestEndDoesNotWaitForWhatHangs(t *testing.T) {
	m := prepare(t, "", "a stuck ready-timeout=20ms", "base run", "user undead after=base", "late stuck")
	m.bounds.undo, m.bounds.clean = soon, soon
	m.start()
	m.await("a", state.Cleaning)
	m.await("user", state.Ready)
	m.end()
	out := m.console()
	for _, name := range []string{"a", "user", "late"} {
		if !strings.Contains(out, "services "+name+": its clean-up hangs, left behind") {
			t.Errorf("nobody says that %s is left behind\n%s", name, out)
		}
	}
	if got := m.states("base"); got != "waiting starting running ready stopping cleaning stopped" {
		t.Errorf("what others use is %s", got)
	}
	close(m.engine.Disk)
}

// A bundle on a disk that hangs, and who asks for it, hold up nobody.
func TestBundleThatHangs(t *testing.T) {
	m := boot(t, "", "web run")
	m.awaitReady()
	for range mostReads {
		m.sup.reads <- struct{}{} // each is being read, and hangs
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := remote{m.sup}.Ask(ctx, "start", "new", control.Options{Path: m.dir})
	if err == nil || !strings.Contains(err.Error(), "others are being read") {
		t.Errorf("%v", err)
	}
	if l, err := (remote{m.sup}).List(t.Context()); err != nil || len(l.Services) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}
