package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/log/store"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/state"
	"slipway/test/fake"
	"slipway/test/poll"
)

// testbed is a supervisor under test.
type testbed struct {
	t      *testing.T
	dir    string
	engine *fake.Engine
	clock  *fake.Clock // nil: the machine's
	bounds bounds
	sup    *Supervisor
	guest  *guest.Guest
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

// bootAt has a clock that the test moves on.
func bootAt(t *testing.T, clock *fake.Clock, cmdline string, services ...string) *testbed {
	t.Helper()
	m := prepare(t, cmdline, services...)
	m.clock = clock
	m.start()
	return m
}

// advance moves the clock on, and waits until the loop has done what is due.
func (m *testbed) advance(d time.Duration) {
	m.t.Helper()
	m.clock.Advance(d)
	if err := m.sup.Do(m.t.Context(), func() {}); err != nil {
		m.t.Fatal(err)
	}
}

func prepare(t *testing.T, cmdline string, services ...string) *testbed {
	t.Helper()
	m := &testbed{t: t, dir: t.TempDir(), engine: newEngine(),
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

// newEngine has containers that end at once say so.
func newEngine() *fake.Engine {
	e := fake.New()
	e.Says = func(b *bundle.Bundle) (stdout, stderr string) {
		if b.Spec.Process.Args[0] == "exit" {
			stdout = "last words\n"
		}
		return stdout, ""
	}
	return e
}

func (m *testbed) start() {
	m.t.Helper()
	var err error
	config := Config{Guest: m.guest, Engine: m.engine, KeeperDir: m.guest.Paths.RunDir(), Slots: 2, Holder: m.holder, bounds: m.bounds,
		Ready:     func() { close(m.ready) },
		Emergency: func(context.Context) { m.emergency <- true },
		End:       func(p bundle.OnFailure) error { m.ends <- p; return nil }}
	if m.clock != nil {
		config.Clock = m.clock
	}
	m.sup, err = New(config)
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
	p := guest.Default()
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
	m.guest, err = guest.Open(p)
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
	if err := poll.For(m.t, "the supervisor stops", m.done); err != nil {
		m.t.Error(err)
	}
	m.done <- nil
}

func (m *testbed) awaitReady() {
	m.t.Helper()
	is := func() bool {
		select {
		case <-m.ready:
			return true
		default:
			return false
		}
	}
	poll.Until(m.t, "readiness", is, m.engine.Happened, m.console)
}

// await waits until a service is in a state.
func (m *testbed) await(name string, want state.State) {
	m.t.Helper()
	var got state.State
	is := func() bool {
		v, err := remote{m.sup}.One(m.t.Context(), name)
		if err != nil {
			m.t.Fatal(err)
		}
		got = v.State
		return got == want
	}
	poll.Until(m.t, name+" is "+string(want), is, func() string { return "it is " + string(got) }, m.console)
}

// awaitMiss waits until a service runs, and was looked at and not ready.
func (m *testbed) awaitMiss(name string) {
	m.t.Helper()
	poll.Until(m.t, name+" is looked at", func() (missed bool) {
		if err := m.sup.Do(m.t.Context(), func() { missed = m.sup.lives[name] != nil && m.sup.lives[name].lastFailure() != "" }); err != nil {
			m.t.Fatal(err)
		}
		return missed
	})
	m.await(name, state.Running)
}

func (m *testbed) console() string {
	m.guest.Terminal.Flush(poll.Longest)
	data, err := os.ReadFile(m.dir + "/console")
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// states is the sequence of a service's states, from its events.
func (m *testbed) states(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(EventsPath(m.guest.Paths))
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
