package onboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runc"
	"slipway/pkg/reap"
	"slipway/pkg/service/host"
	"slipway/pkg/service/run"
)

// fakeEngine runs containers that do what their first argument says: "exit N",
// "hang", or "no" for one that cannot be started. "stuck" hangs in its start, and
// "undead" when it is cleaned up, until the disk comes back.
type fakeEngine struct {
	disk   chan struct{}
	t      *testing.T
	up     *fakeContainer
	order  []string
	killed []string
}

type fakeContainer struct {
	engine *fakeEngine
	name   string
	status reap.Status
	ended  chan struct{}
	undead bool
}

func (e *fakeEngine) Start(_ context.Context, b *bundle.Bundle, io run.IO) (run.Container, error) {
	if e.up != nil {
		e.t.Errorf("%s starts while %s is there", b.Name, e.up.name)
	}
	e.order = append(e.order, b.Name)
	if _, err := io.Stdout.WriteString("out of " + b.Name + "\n"); err != nil {
		e.t.Error(err)
	}
	if _, err := io.Stderr.WriteString("err of " + b.Name + "\n"); err != nil {
		e.t.Error(err)
	}
	c := &fakeContainer{engine: e, name: b.Name, ended: make(chan struct{})}
	switch what := b.Spec.Process.Args[0]; what {
	case "no":
		if _, err := io.Stderr.WriteString("runc run failed: no such command\n"); err != nil {
			e.t.Error(err)
		}
		return nil, fmt.Errorf("onboot %s: start: %w", b.Name, &runc.Error{Verb: "run", Message: "no such command"})
	case "hang":
	case "stuck":
		<-e.disk
		return c, nil
	case "undead":
		c.undead = true
		close(c.ended)
		return c, nil
	default:
		c.status.Code = int(what[0] - '0')
		close(c.ended)
	}
	e.up = c
	return c, nil
}

func (e *fakeEngine) Attach(*bundle.Bundle, reap.Ident) (run.Container, error) { panic("not here") }
func (e *fakeEngine) Find(context.Context, *bundle.Bundle) (reap.Ident, bool, error) {
	panic("not here")
}
func (e *fakeEngine) Clean(*bundle.Bundle) error { panic("not here") }
func (e *fakeEngine) Begin(*bundle.Bundle, run.Program) (run.Session, error) {
	return nil, errors.New("not here")
}

func (e *fakeEngine) Exec(context.Context, *bundle.Bundle, []string) (reap.Status, error) {
	panic("not here")
}

func (c *fakeContainer) Ident() reap.Ident        { return reap.Ident{} }
func (c *fakeContainer) Signal(unix.Signal) error { return nil }

func (c *fakeContainer) Cleanup() error {
	if c.undead {
		<-c.engine.disk
		return nil
	}
	c.engine.up = nil
	return nil
}

func (c *fakeContainer) Kill() error {
	c.engine.killed = append(c.engine.killed, c.name)
	c.status.Signal = unix.SIGKILL
	close(c.ended)
	return nil
}

func (c *fakeContainer) Wait(ctx context.Context) (reap.Status, error) {
	select {
	case <-c.ended:
		return c.status, nil
	case <-ctx.Done():
		return reap.Status{}, ctx.Err()
	}
}

// play runs onboot containers given as "name what [key=value]".
func play(t *testing.T, containers ...string) (q *Sequence, e *fakeEngine, console string, ends []bundle.OnFailure) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range containers {
		f := strings.Fields(c)
		spec := specs.Spec{Root: &specs.Root{Path: "rootfs"}, Process: &specs.Process{Args: f[1:2]}, Annotations: map[string]string{}}
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
	h, out := testHost(t, dir)
	e = &fakeEngine{t: t, disk: make(chan struct{})}
	q = &Sequence{Host: h, Engine: e, Section: bundle.Onboot, End: func(p bundle.OnFailure, _ string) { ends = append(ends, p) }}
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
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return q, e, string(data), ends
}

func testHost(t *testing.T, dir string) (h *host.Host, out string) {
	t.Helper()
	p := host.Default()
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
	h, err = host.Open(p)
	os.Stdout = old
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return h, out
}

func TestSequence(t *testing.T) {
	q, e, console, ends := play(t, "000-good 0", "001-bad 3", "002-broken broken", "003-no no",
		"004-slow hang timeout=10ms", "005-typo 0 timeot=1s", "006-last 0")
	if got := strings.Join(e.order, " "); got != "000-good 001-bad 003-no 004-slow 006-last" {
		t.Errorf("order: %s", got)
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
	if len(ends) != 0 || strings.Join(e.killed, " ") != "004-slow" {
		t.Errorf("ends %v, killed %v", ends, e.killed)
	}
	kept, err := Load(q.Host.Paths, bundle.Onboot)
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
	// By a link to memory, or a copy if the test's folder is on a disk.
	names, err := filepath.Glob(q.Host.Paths.Log + "/onboot/onboot.*.log")
	if err != nil || len(names) == 0 {
		t.Errorf("logs: %q %v", names, err)
	}
}

// A step has to be ready in time, but one that is done before is done.
func TestReadiness(t *testing.T) {
	q, e, console, _ := play(t, "000-stuck hang ready=file:/no/such ready-timeout=30ms",
		"001-mute hang ready=notify ready-timeout=30ms", "002-quick 0 ready=notify")
	if got := strings.Join(e.killed, " "); got != "000-stuck 001-mute" {
		t.Errorf("killed %s", got)
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
	if len(e.order) != 0 || console != "" {
		t.Errorf("order %v, console %q", e.order, console)
	}
}

// A step whose start or clean-up hangs in the kernel fails after its time, and the
// next one begins.
func TestStepsThatHang(t *testing.T) {
	undo, clean := undoTime, cleanTime
	undoTime, cleanTime = 10*time.Millisecond, 10*time.Millisecond
	t.Cleanup(func() { undoTime, cleanTime = undo, clean })
	_, e, console, _ := play(t, "000-stuck stuck timeout=20ms", "001-undead undead timeout=20ms", "002-well 0")
	rest := console
	for _, want := range []string{
		"onboot 000-stuck: failed: not done after its timeout of 20ms: its start hangs, left behind",
		"onboot 001-undead: failed: clean up: not done after 20ms, left behind",
		"onboot 002-well: exited with status 0",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q, in its place, in\n%s", want, console)
		}
		rest = after
	}
	close(e.disk)
}
