package sequence

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/service/guest"
	"slipway/test/fake"
)

// play runs onboot containers given as "name what [key=value]", in which what is one of
// fake.Engine's with "_" for a blank, or a status.
func play(t *testing.T, containers ...string) (q *Sequence, e *fake.Engine, console string, ends []bundle.OnFailure) {
	t.Helper()
	return playWithin(t, bounds{}, containers...)
}

func playWithin(t *testing.T, within bounds, containers ...string) (q *Sequence, e *fake.Engine, console string, ends []bundle.OnFailure) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range containers {
		f := strings.Fields(c)
		args := strings.Split(f[1], "_")
		if len(f[1]) == 1 {
			args = []string{"exit", f[1]}
		}
		spec := specs.Spec{Root: &specs.Root{Path: "rootfs"}, Process: &specs.Process{Args: args}, Annotations: map[string]string{}}
		for _, a := range f[2:] {
			key, value, _ := strings.Cut(a, "=")
			spec.Annotations["slipway."+key] = value
		}
		data, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if f[1] == "broken" {
			data = []byte("{")
		}
		at := filepath.Join(dir, "containers/onboot", f[0])
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(at+"/config.json", data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	g, out := testGuest(t, dir)
	e = fake.New()
	e.Says = func(b *bundle.Bundle) (stdout, stderr string) {
		return "out of " + b.Name + "\n", "err of " + b.Name + "\n"
	}
	q = &Sequence{Guest: g, Engine: e, Section: bundle.Onboot, bounds: within, End: func(p bundle.OnFailure, _ string) { ends = append(ends, p) }}
	ok, err := q.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	for _, s := range q.steps {
		failed = failed || s.State == Failed
	}
	if ok == failed {
		t.Errorf("Run says %v, steps %+v", ok, q.steps)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return q, e, string(data), ends
}

func testGuest(t *testing.T, dir string) (g *guest.Guest, out string) {
	t.Helper()
	p := guest.Default()
	p.Containers, p.Run, p.Log = dir+"/containers", dir+"/run", dir+"/log"
	p.Cmdline, p.Dev = dir+"/cmdline", dir+"/dev"
	out = dir + "/console"
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Cmdline, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = f
	g, err = guest.Open(p)
	os.Stdout = old
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return g, out
}

func TestSequence(t *testing.T) {
	q, e, console, ends := play(t, "000-good 0", "001-bad 3", "002-broken broken", "003-no refused_no_such_command",
		"004-slow run timeout=10ms", "005-typo 0 timeot=1s", "006-last 0")
	const order = "start 000-good, clean 000-good, start 001-bad, clean 001-bad, start 003-no, " +
		"start 004-slow, kill 004-slow, clean 004-slow, start 006-last, clean 006-last"
	if got := e.Happened(); got != order {
		t.Errorf("happened: %s\nwant: %s", got, order)
	}
	wants := []string{
		"slipway: onboot 000-good: from ", "out of 000-good\nerr of 000-good\n", "slipway: onboot 000-good: exited with status 0 after ",
		"slipway: onboot 001-bad: exited with status 3 after ",
		"slipway: onboot 002-broken: failed: ", "config.json: ",
		"slipway: onboot 003-no: failed: start: runc run: no such command\n",
		"slipway: onboot 004-slow: failed: not done after its timeout of 10ms, killed\n",
		"slipway: onboot 005-typo: failed: ", "slipway.timeot",
		"slipway: onboot 006-last: exited with status 0 after ",
	}
	rest := console
	for _, want := range wants {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q, in its place, in\n%s", want, console)
		}
		rest = after
	}
	if n := strings.Count(console, "no such command"); n != 1 {
		t.Errorf("a start that failed is told %d times", n)
	}
	if len(ends) != 0 {
		t.Errorf("ends %v", ends)
	}
	kept, err := Load(q.Guest.Paths, bundle.Onboot)
	if err != nil || len(kept) != 7 {
		t.Fatalf("kept %+v %v", kept, err)
	}
	for i, want := range []string{Done, Failed, Failed, Failed, Failed, Failed, Done} {
		if kept[i].State != want {
			t.Errorf("%s is %s, want %s", kept[i].Name, kept[i].State, want)
		}
	}
	if kept[1].Cause != "exit status 3" {
		t.Errorf("cause %q", kept[1].Cause)
	}
	// By a link to memory, or a copy if the test's directory is on a disk.
	names, err := filepath.Glob(q.Guest.Paths.Log + "/onboot/onboot.*.log")
	if err != nil || len(names) == 0 {
		t.Errorf("logs: %q %v", names, err)
	}
}

// A step has to be ready in time, but one that is done before is done.
func TestReadiness(t *testing.T) {
	q, e, console, _ := play(t, "000-stuck run ready=file:/no/such ready-timeout=30ms",
		"001-mute run ready=notify ready-timeout=30ms", "002-quick 0 ready=notify")
	const order = "start 000-stuck, kill 000-stuck, clean 000-stuck, start 001-mute, kill 001-mute, clean 001-mute, " +
		"start 002-quick, clean 002-quick"
	if got := e.Happened(); got != order {
		t.Errorf("happened: %s\nwant: %s", got, order)
	}
	for _, want := range []string{
		"onboot 000-stuck: failed: not ready after 30ms, killed: ",
		"onboot 001-mute: failed: not ready after 30ms, killed: READY=1 did not come",
		"onboot 002-quick: exited with status 0",
	} {
		if !strings.Contains(console, want) {
			t.Errorf("no %q in\n%s", want, console)
		}
	}
	if q.steps[2].State != Done {
		t.Errorf("%+v", q.steps[2])
	}
}

func TestFailureEndsTheBoot(t *testing.T) {
	for _, policy := range []bundle.OnFailure{bundle.Stop, bundle.Reboot, bundle.Poweroff} {
		_, _, console, ends := play(t, "000-a 1 on-failure="+string(policy), "001-b 0 on-failure="+string(policy))
		if len(ends) != 1 || ends[0] != policy {
			t.Errorf("%s: %v", policy, ends)
		}
		if want := "slipway: onboot 000-a: failed, and its policy is to " + string(policy); !strings.Contains(console, want) {
			t.Errorf("no %q in\n%s", want, console)
		}
	}
}

func TestNoContainers(t *testing.T) {
	_, e, console, _ := play(t)
	if e.Happened() != "" || console != "" {
		t.Errorf("happened %q, console %q", e.Happened(), console)
	}
}

// A step whose start or clean-up hangs in the kernel fails after its time, and the
// next one begins.
func TestStepsThatHang(t *testing.T) {
	soon := 10 * time.Millisecond
	_, e, console, _ := playWithin(t, bounds{soon, soon}, "000-stuck stuck timeout=20ms", "001-undead undead_exit_0", "002-well 0 timeout=1h")
	rest := console
	for _, want := range []string{
		"onboot 000-stuck: failed: not done after its timeout of 20ms: its start hangs, left behind",
		"onboot 001-undead: failed: clean up: not done after 10ms, left behind",
		"onboot 002-well: exited with status 0",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q, in its place, in\n%s", want, console)
		}
		rest = after
	}
	close(e.Disk)
}
