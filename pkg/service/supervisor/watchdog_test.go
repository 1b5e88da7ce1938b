package supervisor

import (
	"bytes"
	"os"
	"testing"
	"time"

	"slipway/pkg/reap"
	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/test/fake"
)

func (m *testbed) fed() int {
	m.t.Helper()
	data, err := os.ReadFile(m.dir + "/dev/watchdog")
	if err != nil {
		m.t.Fatal(err)
	}
	if bytes.ContainsRune(data, 'V') {
		m.t.Fatal("the watchdog was told to let go")
	}
	return len(data)
}

// wantFed wants the watchdog to be fed, or not, when it is time.
func (m *testbed) wantFed(want bool) {
	m.t.Helper()
	before := m.fed()
	m.advance(time.Second)
	if m.fed() > before != want {
		m.t.Errorf("fed: %t, want %t\n%s", !want, want, m.console())
	}
}

// The watchdog is fed during a watched service's first start, not while it is
// down by a fault, again when it is back or people have stopped it; what other
// services do does not matter.
func TestWatchdogStandsForVitalServices(t *testing.T) {
	m := bootAt(t, fake.NewClock(), "fake-watchdog slipway.watchdog=3s",
		"vital run watchdog=true restart-delay=1h", "other exit 1 restart=no", "slow run watchdog=true ready=notify")
	m.await("vital", state.Ready)
	m.await("other", state.Failed)
	m.wantFed(true)
	m.engine.EndAll(reap.Status{Code: 4})
	m.await("vital", state.Backoff)
	m.wantFed(false)
	m.wantFed(false)
	saw(t, m.console(), "watchdog: resets the machine when it is not fed for 3s", "watchdog: not fed while .*service vital is backoff")
	r := remote{m.sup}
	for verb, name := range map[string]string{"start": "vital", "stop": "slow"} {
		if err := r.Ask(t.Context(), verb, name, control.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	m.await("vital", state.Ready)
	m.await("slow", state.Stopped)
	m.wantFed(true)
	saw(t, m.console(), "watchdog: not fed", "watchdog: fed again")
}

func TestWatchdogIsThereWhenAskedFor(t *testing.T) {
	for _, c := range []struct{ cmdline, service, want string }{
		{"fake-watchdog", "a run", ""},
		{"fake-watchdog", "a run watchdog=false", ""},
		{"fake-watchdog", "a run watchdog=true", "watchdog: resets the machine when it is not fed for 1m0s"},
		{"fake-watchdog slipway.watchdog=10s", "a run", "not fed for 10s"},
		{"fake-watchdog slipway.watchdog=off", "a run watchdog=true", ""},
		{"fake-watchdog slipway.watchdog=1s", "a run", "kernel command line: slipway.watchdog=1s: want off, or a duration of 3s or more"},
		{"slipway.watchdog=10s", "a run", "watchdog: open .*/dev/watchdog: no such file or directory; the machine runs without"},
	} {
		m := boot(t, c.cmdline, c.service)
		m.awaitReady()
		m.end()
		if c.want != "" {
			saw(t, m.console(), c.want)
		} else if got := m.console(); bytes.Contains([]byte(got), []byte("watchdog")) {
			t.Errorf("%s, %s: %s", c.cmdline, c.service, got)
		}
	}
}

// A loop that hangs feeds nothing, though all services are well.
func TestWatchdogIsNotFedByALoopThatHangs(t *testing.T) {
	m := bootAt(t, fake.NewClock(), "fake-watchdog slipway.watchdog=3s", "a run")
	m.awaitReady()
	m.wantFed(true)
	var before, after int
	if err := m.sup.Do(t.Context(), func() {
		before = m.fed()
		m.clock.Advance(3 * time.Second)
		after = m.fed()
	}); err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("it was fed %d times by a loop that hung", after-before)
	}
	m.wantFed(true)
}
