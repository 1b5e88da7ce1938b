package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/fdstore"
	"slipway/pkg/reap"
	"slipway/pkg/service/control"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/state"
	"slipway/test/fake"
)

// keep writes what an earlier supervisor knew.
func (m *testbed) keep(name, record string) {
	m.t.Helper()
	dir := m.guest.Paths.RunDir("services")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name+".json"), []byte(record), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// TestRecordsOfOtherVersions: what an older or a newer supervisor has written of
// a running service is enough to go on with it. What cannot be understood is
// told and costs that service alone a new start.
func TestRecordsOfOtherVersions(t *testing.T) {
	m := prepare(t, "", "old run", "newer run", "strange run", "torn run", "unknown run")
	self, err := reap.Identify(os.Getpid()) // a process that lives
	if err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf(`{"Pid":%d,"Start":%d}`, self.Pid, self.Start)
	for name, record := range map[string]string{
		"old":     `{"name":"old","state":"ready","wanted":true,"run":3,"proc":` + proc + `}`,
		"newer":   `{"name":"newer","state":"ready","wanted":true,"run":7,"proc":` + strings.Replace(proc, "}", `,"Cgroup":"x"}`, 1) + `,"mood":{"good":true},"history":[{"run":6,"weather":[1,2]}]}`,
		"strange": `{"name":"strange","state":"hibernating","wanted":true,"run":2,"proc":` + proc + `}`,
		"torn":    `{"name":"torn","sta`,
		"removed": `{"name":"removed","state":"ready","run":1,"proc":` + proc + `}`,
	} {
		m.keep(name, record)
	}
	if n, err := Try(m.guest.Paths); n != 5 || err == nil || !strings.Contains(err.Error(), "hibernating") || !strings.Contains(err.Error(), "torn.json") {
		t.Errorf("Try finds %d services, %v", n, err)
	}
	m.start()
	m.awaitReady()
	for _, name := range []string{"old", "newer", "strange", "torn", "unknown"} {
		m.await(name, state.Ready)
	}
	got := m.engine.Happened()
	for _, name := range []string{"old", "newer"} {
		if strings.Contains(got, "start "+name) || !strings.Contains(got, "attach "+name) {
			t.Errorf("%s was not taken over: %s", name, got)
		}
	}
	for _, name := range []string{"strange", "torn", "unknown"} {
		if !strings.Contains(got, "start "+name) {
			t.Errorf("%s was not started: %s", name, got)
		}
	}
	saw(t, m.console(), "strange.json: the state \"hibernating\" is not known", "found 2 running")
	rec, _ := m.sup.set.Record("newer")
	if rec.Run != 7 {
		t.Errorf("newer is in run %d", rec.Run)
	}
}

// TestNotOverBeforeAllAreTakenOver: a supervisor that has looked at one service
// does not take the others for stopped.
func TestNotOverBeforeAllAreTakenOver(t *testing.T) {
	m := prepare(t, "slipway.report=print", "a run", "b run ready=file:/none ready-timeout=1h")
	self, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]string{"a": `"ready","first":true`, "b": `"running"`} {
		m.keep(name, fmt.Sprintf(`{"name":%q,"state":%s,"wanted":true,"run":1,"proc":{"Pid":%d,"Start":%d}}`, name, status, self.Pid, self.Start))
	}
	m.start()
	m.await("b", state.Running) // answered by the loop, after it has taken over
	select {
	case <-m.ready:
		t.Errorf("the first start is said to be over\n%s", m.console())
	default:
	}
}

// TestWaiterThatIsTakenOverIsNamed: nothing has changed of a service since the supervisor before, and it still waits.
func TestWaiterThatIsTakenOverIsNamed(t *testing.T) {
	m := prepare(t, "", "slow run ready=file:/none ready-timeout=1h")
	m.clock = fake.NewClock()
	self, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m.keep("slow", fmt.Sprintf(`{"name":"slow","state":"running","wanted":true,"run":1,"proc":{"Pid":%d,"Start":%d}}`, self.Pid, self.Start))
	m.start()
	m.await("slow", state.Running)
	m.advance(firstReminder)
	saw(t, m.console(), "waiting for slow to be ready")
}

// TestStartThatHangsIsTakenOver: the supervisor died while a runtime hung in the
// start of one service. Its successor keeps the others all the same, and a stop
// ends that start.
func TestStartThatHangsIsTakenOver(t *testing.T) {
	m := prepare(t, "", "hangs stuck", "cut run", "up run")
	self, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m.keep("hangs", `{"name":"hangs","state":"starting","wanted":true,"run":1}`)
	m.keep("cut", `{"name":"cut","state":"starting","wanted":true,"run":1}`)
	m.keep("up", fmt.Sprintf(`{"name":"up","state":"ready","first":true,"wanted":true,"run":1,"proc":{"Pid":%d,"Start":%d}}`, self.Pid, self.Start))
	m.start()
	m.await("up", state.Ready)
	m.await("cut", state.Ready)
	m.await("hangs", state.Starting)
	if err := (remote{m.sup}).Ask(t.Context(), "stop", "hangs", control.Options{}); err != nil {
		t.Fatal(err)
	}
	m.await("hangs", state.Stopped)
	if got := m.engine.Happened(); !strings.Contains(got, "end start hangs") || strings.Contains(got, ", start hangs") {
		t.Errorf("%s", got)
	}
}

// TestWhatWasSaidToNobodyIsHeard: a service says that it is ready while there is
// no supervisor, to a socket that the parent of both has kept.
func TestWhatWasSaidToNobodyIsHeard(t *testing.T) {
	m := prepare(t, "", "says run ready=notify ready-timeout=1h")
	store, err := fdstore.NewStore()
	if err != nil {
		t.Fatal(err)
	}
	go func() { t.Log(store.Serve()) }()
	client := fdstore.NewClient(store.Child)
	m.holder = client
	sock := probe.NotifySocket(m.guest.Paths.RunDir(), "says")
	if err := os.MkdirAll(filepath.Dir(sock), 0o700); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: sock}), client.HoldFd("notify/says", fd), unix.Close(fd))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unixgram", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("READY=1")); err != nil {
		t.Fatal(err)
	}
	self, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m.keep("says", fmt.Sprintf(`{"name":"says","state":"running","wanted":true,"run":1,"proc":{"Pid":%d,"Start":%d}}`, self.Pid, self.Start))
	m.start()
	m.await("says", state.Ready)
	if got := m.engine.Happened(); strings.Contains(got, "start says") {
		t.Errorf("it was started again: %s", got)
	}
	m.end()
	if _, err := client.Take("notify/says"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket is still kept: %v", err)
	}
}
