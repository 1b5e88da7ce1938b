package supervisor

import (
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/test/fake"
	"slipway/test/poll"
)

// saw checks that patterns come in this order.
func saw(t *testing.T, text string, patterns ...string) {
	t.Helper()
	rest := text
	for _, p := range patterns {
		at := regexp.MustCompile(p).FindStringIndex(rest)
		if at == nil {
			t.Errorf("no %q, in its place, in\n%s", p, text)
			return
		}
		rest = rest[at[1]:]
	}
}

func TestLifeOfServices(t *testing.T) {
	m := boot(t, "", "web run requires=db", "db run after=log", "log run")
	m.awaitReady()
	m.end()
	if got, want := m.engine.Happened(), "start log, start db, start web, TERM web, clean web, TERM db, clean db, TERM log, clean log"; got != want {
		t.Errorf("happened: %s\nwant: %s", got, want)
	}
	for _, name := range []string{"log", "db", "web"} {
		if got := m.states(name); got != "waiting starting running ready stopping cleaning stopped" {
			t.Errorf("%s: %s", name, got)
		}
	}
	saw(t, m.console(), "slipway: services log: started, pid ", "services web: stopping: shutdown", "services web: stopped: killed by SIGTERM", "services: all are stopped")
}

func TestFailures(t *testing.T) {
	m := boot(t, "", "cannot no restart=no", "user run requires=cannot", "typo run after=usre",
		"limit exit 3 restart-delay=1ms restart-limit=2/1h", "fine run after=cannot", "once exit 0")
	m.awaitReady()
	m.await("limit", state.Failed)
	m.await("once", state.Exited)
	m.await("fine", state.Ready)
	saw(t, m.console(), "(?m)^slipway: services typo: failed: .*did you mean \"user\"")
	saw(t, m.console(), "services cannot: failed: start: no such command", "services user: failed: requires cannot, which is failed: start: no such command")
	saw(t, m.console(), "services limit: ended: exit status 3; starting again in", "  limit: last words",
		"services limit: failed: exit status 3, more than 2 restarts in 1h")
	run := "starting running ready cleaning "
	if got := m.states("limit"); got != "waiting "+strings.Repeat(run+"backoff waiting ", 2)+run+"failed" {
		t.Errorf("limit: %s", got)
	}
	if got := m.states("once"); got != "waiting starting running ready cleaning exited" {
		t.Errorf("once: %s", got)
	}
	if strings.Contains(m.engine.Happened(), "start user") {
		t.Error("user was started without what it requires")
	}
}

// Why a service has failed is on the console once, whoever else has written it: the
// runtime does so on the container's output.
func TestCausesAreToldOnce(t *testing.T) {
	causes := map[string]string{
		"program": `exec: "/bin/x": stat /bin/x: no such file or directory`,
		"bind":    "failed to fulfil mount request: open /nowhere: no such file or directory",
		"spec":    "error setting rlimits for ready process: error setting rlimit type 7: invalid argument",
	}
	services := []string{"slow run ready=file:/none ready-timeout=50ms restart=no", "broken run no-such-key=1"}
	for name, cause := range causes {
		services = append(services, name+" refused restart=no "+cause)
	}
	m := boot(t, "", services...)
	causes["slow"], causes["broken"] = "not ready after 50ms", "no-such-key"
	for name := range causes {
		m.await(name, state.Failed)
	}
	m.awaitReady()
	console := m.console()
	for name, cause := range causes {
		if n := strings.Count(console, cause); n != 1 {
			t.Errorf("%s: its cause is told %d times", name, n)
		}
		saw(t, console, "services "+name+": failed: .*"+regexp.QuoteMeta(cause))
	}
	if n := strings.Count(console, "hook: a word before"); n != 3 {
		t.Errorf("what others have written is told %d times, not 3", n)
	}
	if t.Failed() {
		t.Log(console)
	}
}

// Those who do not hear the signal are killed after their own timeout, all at
// the same time.
func TestStopTakesTheLongestTimeout(t *testing.T) {
	var services []string
	for name := range strings.FieldsSeq("a b c d e f g h i j") {
		services = append(services, name+" deaf stop-timeout=2s stop-signal=SIGUSR1")
	}
	m := bootAt(t, fake.NewClock(), "", services...)
	m.awaitReady()
	m.stop()
	for _, s := range services {
		m.await(s[:1], state.Stopping)
	}
	m.advance(2*time.Second - 1)
	if strings.Contains(m.engine.Happened(), "kill ") {
		t.Errorf("killed before its timeout: %s", m.engine.Happened())
	}
	m.advance(1)
	m.end()
	for _, s := range services {
		saw(t, m.engine.Happened(), "USR1 "+s[:1], "kill "+s[:1])
	}
}

func TestGivingUpMeansSomethingForTheMachine(t *testing.T) {
	for _, policy := range []bundle.OnFailure{bundle.Reboot, bundle.Poweroff} {
		m := boot(t, "", "vital exit 1 restart=no on-failure="+string(policy))
		select {
		case got := <-m.ends:
			if got != policy {
				t.Errorf("%s, want %s", got, policy)
			}
		case <-time.After(poll.Longest):
			t.Fatalf("nothing came of %s", policy)
		}
	}
}

// The boot is stopped only while there is one.
func TestGivingUpStopsTheBoot(t *testing.T) {
	m := boot(t, "", "vital no restart=no on-failure=stop", "too no restart=no on-failure=stop")
	select {
	case <-m.emergency:
	case <-time.After(poll.Longest):
		t.Fatal("nobody gets a shell")
	}
	m.await("too", state.Failed)
	saw(t, m.console(), "services (vital|too): the boot is stopped")
	m.end()
	select {
	case <-m.ready:
		t.Error("the boot was not stopped")
	case <-m.emergency:
		t.Error("two shells on one console")
	default:
	}
	m = boot(t, "slipway.report=poweroff", "vital no restart=no on-failure=stop", "fine run")
	select {
	case <-m.ends:
		saw(t, m.console(), "services vital: the boot is stopped", "slipway: report: failed: vital: start: no such command")
	case <-m.ready:
		t.Error("the boot was not stopped")
	case <-m.emergency:
		t.Error("a shell for nobody")
	case <-time.After(poll.Longest):
		t.Fatal("no report of a stopped boot")
	}
	m = boot(t, "", "vital run on-failure=stop restart=no")
	m.awaitReady()
	m.engine.EndAll(reap.Status{Code: 1})
	m.await("vital", state.Failed)
	m.end()
	select {
	case <-m.emergency:
		t.Error("the boot was over")
	default:
	}
}

func TestReport(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	m := boot(t, "quiet slipway.report=poweroff", "good run", "bad exit 7 restart=no", "worse no restart=no")
	m.awaitReady()
	select {
	case got := <-m.ends:
		if got != bundle.Poweroff {
			t.Errorf("%s", got)
		}
	case <-time.After(poll.Longest):
		t.Fatal("no power-off")
	}
	saw(t, m.console(), "SERVICE +STATE", "(?m)^good +ready +")
	saw(t, m.console(), `slipway: report: failed: bad: exit status 7; worse: start: no such command`)
	if got := debug.SetGCPercent(100); got != gcPercent {
		t.Errorf("the heap may grow by %d %%", got)
	}
}

func TestSteering(t *testing.T) {
	m := boot(t, "", "db run", "web run requires=db")
	m.awaitReady()
	r := remote{m.sup}
	ask := func(verb, name string) {
		t.Helper()
		if err := r.Ask(t.Context(), verb, name, control.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	ask("stop", "db")
	m.await("db", state.Stopped)
	m.await("web", state.Stopped)
	ask("start", "web")
	m.await("web", state.Ready)
	ask("restart", "db")
	m.await("db", state.Ready)
	if err := r.Ask(t.Context(), "start", "wbe", control.Options{}); err == nil || !strings.Contains(err.Error(), `did you mean "web"`) {
		t.Errorf("unknown name: %v", err)
	}
	saw(t, m.engine.Happened(), "TERM web", "clean web", "TERM db", "clean db", "start db", "start web", "TERM db", "clean db", "start db")
	if strings.Count(m.engine.Happened(), "start web") != 2 {
		t.Errorf("web was restarted with db: %s", m.engine.Happened())
	}
}

func TestStatusHasImage(t *testing.T) {
	m := boot(t, "", "web run "+bundle.ImageAnnotation+"=example/web:1", "db run")
	m.awaitReady()
	for name, want := range map[string]string{"web": "example/web:1", "db": ""} {
		if got, err := (remote{m.sup}).One(t.Context(), name); err != nil || got.Image != want {
			t.Errorf("%s is from %q, want %q (%v)", name, got.Image, want, err)
		}
	}
}

// Who waits longer than firstReminder is named, with what came of the probe, and
// with what the service that it waits for has met.
func TestWaitersAreNamed(t *testing.T) {
	m := bootAt(t, fake.NewClock(), "", "slow run ready=tcp:1", "user run requires=slow", "looping no restart-delay=1h", "fan run requires=looping")
	m.awaitMiss("slow")
	m.await("looping", state.Backoff)
	m.advance(firstReminder)
	saw(t, m.console(), `waiting for fan \(for looping, which is backoff: start: no such command\), slow to be ready \(tcp:1: .*\), user \(for slow, which is running, not ready\)`)
}

// The first who waits leaves before it is named, and the one who began to wait later is named when it is due.
func TestSecondWaiterIsNamed(t *testing.T) {
	m := bootAt(t, fake.NewClock(), "", "first run ready=tcp:1", "second run ready=tcp:1")
	ask := func(verb, name string) {
		t.Helper()
		if err := (remote{m.sup}).Ask(t.Context(), verb, name, control.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	m.awaitMiss("first")
	ask("stop", "second")
	m.await("second", state.Stopped)
	m.advance(firstReminder / 2)
	ask("start", "second")
	ask("stop", "first")
	m.await("first", state.Stopped)
	m.awaitMiss("second")
	m.advance(firstReminder / 2)
	if strings.Contains(m.console(), "waiting for") {
		t.Errorf("named too soon: %s", m.console())
	}
	m.advance(firstReminder / 2)
	saw(t, m.console(), `waiting for second to be ready`)
}

func TestReadyTimeoutTellsWhatTheProbeMet(t *testing.T) {
	m := bootAt(t, fake.NewClock(), "", "slow run ready=file:/no/such/file ready-timeout=3s restart=no", "mute run ready=notify ready-timeout=1s restart=no")
	m.awaitMiss("slow")
	m.await("mute", state.Running)
	m.advance(3 * time.Second)
	m.await("slow", state.Failed)
	m.await("mute", state.Failed)
	// The fake's process is none, and that is what the probe meets.
	saw(t, m.console(), `services slow: failed: not ready after 3s: open root of process \d+: no such file`)
	saw(t, m.console(), `services mute: failed: not ready after 1s: nothing came of notify`)
}
