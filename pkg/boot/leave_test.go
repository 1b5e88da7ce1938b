package boot

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
	"slipway/test/hung"
	"slipway/test/poll"
	"slipway/test/skip"
)

// What hangs has its time, of the slack and what the policies give it, and is
// left then; what it leaves of the slack is for the others.
func TestDescend(t *testing.T) {
	m := testMachine(t) // outside: it listens for signals
	synctest.Test(t, func(t *testing.T) { descend(t, m) })
}

func descend(t *testing.T, m *Machine) {
	m.Contained = false
	var ran []string
	note := func(name string) func(*Machine, context.Context) {
		return func(*Machine, context.Context) { ran = append(ran, name) }
	}
	var ended bool
	start, release := time.Now(), make(chan bool)
	m.descend(machine.Poweroff, []rung{
		{name: "hangs", do: func(*Machine, context.Context) { <-release }, most: 5 * time.Millisecond},
		{name: "a", do: note("a")},
		{name: "listens", do: func(_ *Machine, ctx context.Context) { <-ctx.Done(); ended = true }, most: time.Hour, least: time.Millisecond},
		{name: "b", do: note("b")},
		{name: "late", do: func(_ *Machine, ctx context.Context) {
			<-ctx.Done()
			ran = append(ran, "late")
		}, policy: func(*Machine) time.Duration { return min(time.Since(start), 20*time.Millisecond) }},
	}, 30*time.Millisecond)
	took := time.Since(start)
	close(release)
	if got := strings.Join(ran, " "); got != "a b late" || !ended {
		t.Errorf("ran %s, ended by its context: %v", got, ended)
	}
	// All of the slack, what the policy gives, and the last words of the one that hangs.
	if want := 50*time.Millisecond + lastWords; took != want {
		t.Errorf("it took %s, not %s", took, want)
	}
}

// One that gets on is waited for beyond its time.
func TestBoundedWaitsForWhatGetsOn(t *testing.T) {
	m := testMachine(t)
	asked, done := make(chan bool, 1), false
	r := rung{name: "slow", most: time.Millisecond,
		do:   func(*Machine, context.Context) { <-asked; done = true },
		more: func(*Machine) bool { asked <- true; return true },
	}
	m.bounded(r, time.Millisecond)
	if !done {
		t.Error("it was left")
	}
}

// Who has asked before the table was read is answered from it; who asks later is not.
func TestTableIsReadOnceForAllWhoWait(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system")
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	table, err := mount.Table()
	if err != nil {
		t.Fatal(err)
	}
	on, _ := lies(table, dir)
	l, asked := &leaver{}, time.Now()
	if free, covered, err := l.mounts(asked, on.Dev); err != nil || len(free) != 1 || free[0] != on || covered != nil {
		t.Errorf("%v, %v, %v", free, covered, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if free, _, err := l.mounts(asked, on.Dev); err != nil || len(free) != 1 {
		t.Errorf("it was read again: %v, %v", free, err)
	}
	if free, _, err := l.mounts(time.Now(), on.Dev); err != nil || free != nil {
		t.Errorf("it was not read again: %v, %v", free, err)
	}
}

// A filesystem that hangs is named with what it hangs in, and the others are left
// meanwhile.
func TestOneHangsAndTheOthersDoNot(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := testMachine(t)
	l := m.newLeaver()
	sick := newJob(mount.Entry{Target: dir, Type: "fuse", Source: "hung"})
	l.add(sick, func() error {
		return l.call(sick, "sync", func() error { return syncfs(filepath.Join(dir, "below")) })
	})
	well := make(chan bool)
	j := &job{what: "well"}
	l.add(j, func() error { close(well); return l.call(j, "sync", func() error { return syncfs("/") }) })
	<-well
	poll.Until(t, "it hangs", func() bool { h := l.hangs(); return len(h) == 1 && strings.Contains(h[0], dir) })
	if got := l.hangs()[0]; !strings.HasPrefix(got, dir+" (fuse on hung) hangs in sync since ") {
		t.Errorf("got %s", got)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	l.wait.Wait()
	if got := l.hangs(); got != nil {
		t.Errorf("when it has come back: %q", got)
	}
}

// A process in uninterruptible sleep is named, its other threads looked at.
func TestStuckProcesses(t *testing.T) {
	if got, all := allStuck([]process{{pid: 2}, {pid: 7, user: true, stuck: 8}}); got != " 8" || !all {
		t.Errorf("%q, %v", got, all)
	}
	if _, all := allStuck([]process{{pid: 7, user: true, stuck: 8}, {pid: 9, user: true}}); all {
		t.Error("one that runs counts as stuck")
	}
	if _, all := allStuck([]process{{pid: 2}}); all {
		t.Error("nothing counts as stuck")
	}
	for _, p := range processes() {
		if p.pid == os.Getpid() && (!p.user || p.name == "") {
			t.Errorf("this test is %+v", p)
		}
	}
}

func TestParseSwaps(t *testing.T) {
	const text = `Filename				Type		Size		Used		Priority
/var/external/swap\040file\040(deleted)   file		65532		0		-2
/dev/vdb                                partition	8188		12		-3
`
	got := parseSwaps(text)
	want := []swapSpace{{name: "/var/external/swap file", deleted: true, size: 65532 << 10}, {name: "/dev/vdb", partition: true, size: 8188 << 10}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v", got)
	}
}

func TestLies(t *testing.T) {
	table := []mount.Entry{{Target: "/", Dev: "1"}, {Target: "/var", Dev: "2"}, {Target: "/variable", Dev: "3"}, {Target: "/var", Dev: "4"}}
	for name, want := range map[string]string{"/": "1", "/var": "4", "/var/log": "4", "/variable/x": "3", "/v": "1"} {
		if got, ok := lies(table, name); !ok || got.Dev != want {
			t.Errorf("%s lies on %s, want %s", name, got.Dev, want)
		}
	}
}

func TestPanicWhileLeavingIsCaught(t *testing.T) {
	m := testMachine(t)
	l := m.newLeaver()
	got := make(chan any, 1)
	l.caught = func(_ string, cause any) { got <- cause }
	l.add(&job{what: "/data"}, func() error { panic("torn table") })
	l.wait.Wait()
	if cause := <-got; cause != "torn table" {
		t.Errorf("caught %v", cause)
	}
}
