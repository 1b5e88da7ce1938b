package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runc"
	"slipway/pkg/log/store"
	"slipway/pkg/reap"
	"slipway/pkg/service/host"
	"slipway/pkg/service/run"
	"slipway/pkg/service/state"
)

// fakeEngine runs containers by their first argument: "run" until it is told to
// stop, "deaf" until it is killed, "exit N" at once, "no" cannot be started. "refused"
// is not started by the runtime, whose words the other arguments are. "stuck"
// hangs in its start, "undead" when it is cleaned up, until the disk comes back.
type fakeEngine struct {
	mu   sync.Mutex
	disk chan struct{}
	log  []string // what happened, in order: "start web", "TERM web", ...
	pid  int
	up   []*fakeContainer
}

// endAll has all programs end by themselves.
func (e *fakeEngine) endAll(s reap.Status) {
	e.mu.Lock()
	up := e.up
	e.up = nil
	e.mu.Unlock()
	for _, c := range up {
		c.end(s)
	}
}

func (e *fakeEngine) note(what, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, what+" "+name)
}

func (e *fakeEngine) happened() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.log, ", ")
}

type fakeContainer struct {
	engine *fakeEngine
	name   string
	deaf   bool
	undead bool
	id     reap.Ident
	once   sync.Once
	status reap.Status
	ended  chan struct{}
}

func (e *fakeEngine) Start(_ context.Context, b *bundle.Bundle, io run.IO) (run.Container, error) {
	e.note("start", b.Name)
	args := b.Spec.Process.Args
	if args[0] == "no" {
		return nil, errors.New("services " + b.Name + ": start: no such command")
	}
	if args[0] == "refused" {
		err := &runc.Error{Verb: "run", Message: strings.Join(args[1:], " ")}
		if _, writeErr := io.Stderr.WriteString("hook: has something to say\nrunc run failed: unable to start container process: " + err.Message + "\n"); writeErr != nil {
			return nil, writeErr
		}
		return nil, fmt.Errorf("services %s: start: %w", b.Name, err)
	}
	if args[0] == "stuck" {
		<-e.disk
		e.note("back", b.Name)
	}
	e.mu.Lock()
	e.pid++
	// A pid that no process has, and cannot get.
	c := &fakeContainer{engine: e, name: b.Name, deaf: args[0] == "deaf", undead: args[0] == "undead",
		id: reap.Ident{Pid: 1<<30 + e.pid, Start: 1}, ended: make(chan struct{})}
	e.up = append(e.up, c)
	e.mu.Unlock()
	if args[0] == "exit" {
		if _, err := io.Stdout.WriteString("last words\n"); err != nil {
			return nil, err
		}
		c.end(reap.Status{Code: int(args[1][0] - '0')})
	}
	return c, nil
}

// Attach finds every container running.
func (e *fakeEngine) Attach(b *bundle.Bundle, id reap.Ident) (run.Container, error) {
	e.note("attach", b.Name)
	return &fakeContainer{engine: e, name: b.Name, id: id, ended: make(chan struct{})}, nil
}

// Find finds nothing, and for "stuck" a start that goes on until it is ended.
func (e *fakeEngine) Find(ctx context.Context, b *bundle.Bundle) (reap.Ident, bool, error) {
	if b.Spec.Process.Args[0] == "stuck" {
		<-ctx.Done()
		e.note("end start", b.Name)
	}
	return reap.Ident{}, false, nil
}

func (e *fakeEngine) Clean(b *bundle.Bundle) error { e.note("clean", b.Name); return nil }
func (e *fakeEngine) Begin(*bundle.Bundle, run.Program) (run.Session, error) {
	return nil, errors.New("not here")
}

func (e *fakeEngine) Exec(context.Context, *bundle.Bundle, []string) (reap.Status, error) {
	return reap.Status{}, nil
}

func (c *fakeContainer) end(s reap.Status) {
	c.once.Do(func() {
		c.status = s
		close(c.ended)
	})
}

func (c *fakeContainer) Ident() reap.Ident { return c.id }

func (c *fakeContainer) Cleanup() error {
	if c.undead {
		<-c.engine.disk
	}
	c.engine.note("clean", c.name)
	return nil
}

func (c *fakeContainer) Signal(sig unix.Signal) error {
	c.engine.note(strings.TrimPrefix(unix.SignalName(sig), "SIG"), c.name)
	if !c.deaf {
		c.end(reap.Status{Signal: sig})
	}
	return nil
}

func (c *fakeContainer) Kill() error {
	c.engine.note("kill", c.name)
	c.end(reap.Status{Signal: unix.SIGKILL})
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

// testbed is a supervisor under test.
type testbed struct {
	t      *testing.T
	dir    string
	engine *fakeEngine
	sup    *Supervisor
	host   *host.Host
	ready  chan struct{}
	ends   chan bundle.OnFailure
	holder store.Holder
	// emergency gets a word when people are given a shell.
	emergency chan bool
	stop      func()
	done      chan error
}

// boot runs services given as "name what [key=value]".
func boot(t *testing.T, cmdline string, services ...string) *testbed {
	t.Helper()
	m := prepare(t, cmdline, services...)
	m.start()
	return m
}

func prepare(t *testing.T, cmdline string, services ...string) *testbed {
	t.Helper()
	m := &testbed{t: t, dir: t.TempDir(), engine: &fakeEngine{disk: make(chan struct{})},
		ready: make(chan struct{}), ends: make(chan bundle.OnFailure, 10), emergency: make(chan bool, 10), done: make(chan error, 1)}
	for _, s := range services {
		m.add(s)
	}
	m.open(cmdline)
	if strings.Contains(cmdline, "fake-watchdog") {
		m.makeWatchdog()
	}
	return m
}

func (m *testbed) start() {
	m.t.Helper()
	var err error
	m.sup, err = New(Config{Host: m.host, Engine: m.engine, KeeperDir: m.host.Paths.Own(), Slots: 2, Holder: m.holder,
		Ready:     func() { close(m.ready) },
		Emergency: func(context.Context) { m.emergency <- true },
		End:       func(p bundle.OnFailure) error { m.ends <- p; return nil }})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go func() { m.done <- m.sup.Run(ctx) }()
	m.t.Cleanup(m.end)
}

func (m *testbed) add(service string) {
	m.t.Helper()
	f := strings.Fields(service)
	spec := specs.Spec{Root: &specs.Root{Path: "rootfs"}, Process: &specs.Process{}, Annotations: map[string]string{}}
	for _, a := range f[1:] {
		if key, value, is := strings.Cut(a, "="); is {
			if !strings.Contains(key, ".") {
				key = bundle.Prefix + key
			}
			spec.Annotations[key] = value
		} else {
			spec.Process.Args = append(spec.Process.Args, a)
		}
	}
	data, err := json.Marshal(spec)
	if err != nil {
		m.t.Fatal(err)
	}
	at := filepath.Join(m.dir, "containers/services", f[0])
	if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(at+"/config.json", data, 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *testbed) open(cmdline string) {
	m.t.Helper()
	p := host.Default()
	p.Containers, p.Run, p.Log = m.dir+"/containers", m.dir+"/run", m.dir+"/log"
	p.Cmdline, p.Dev, p.Var = m.dir+"/cmdline", m.dir+"/dev", m.dir+"/none"
	f, err := os.Create(m.dir + "/console")
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(p.Cmdline, []byte(cmdline), 0o600); err != nil {
		m.t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = f
	m.host, err = host.Open(p)
	os.Stdout = old
	if err := errors.Join(err, f.Close()); err != nil {
		m.t.Fatal(err)
	}
}

// makeWatchdog puts a plain file where the device is looked for: what it is fed
// with stays in it.
func (m *testbed) makeWatchdog() {
	m.t.Helper()
	if err := errors.Join(os.MkdirAll(m.dir+"/dev", 0o755), os.WriteFile(m.dir+"/dev/watchdog", nil, 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// end stops the supervisor, if that has not been done.
func (m *testbed) end() {
	m.stop()
	select {
	case err := <-m.done:
		if err != nil {
			m.t.Error(err)
		}
		m.done <- nil
	case <-time.After(time.Minute):
		m.t.Error("the supervisor does not stop: " + m.console())
	}
}

const longest = time.Minute

func (m *testbed) awaitReady() {
	m.t.Helper()
	select {
	case <-m.ready:
	case <-time.After(longest):
		m.t.Fatalf("not ready; %s\n%s", m.engine.happened(), m.console())
	}
}

// await waits until a service is in a state.
func (m *testbed) await(name string, want state.State) {
	m.t.Helper()
	for deadline := time.Now().Add(longest); ; time.Sleep(time.Millisecond) {
		got, err := remote{m.sup}.One(m.t.Context(), name)
		if err != nil {
			m.t.Fatal(err)
		}
		if got.State == want {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s is %s, not %s\n%s", name, got.State, want, m.console())
		}
	}
}

func (m *testbed) console() string {
	m.host.Terminal.Flush(longest)
	data, err := os.ReadFile(m.dir + "/console")
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// states is the sequence of a service's states, from its events.
func (m *testbed) states(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(EventsPath(m.host.Paths))
	if err != nil {
		m.t.Fatal(err)
	}
	var all []string
	for line := range bytes.Lines(data) {
		var e state.Transition
		if err := json.Unmarshal(line, &e); err != nil {
			m.t.Fatal(err)
		}
		if e.Name == name {
			all = append(all, string(e.To))
		}
	}
	return strings.Join(all, " ")
}
