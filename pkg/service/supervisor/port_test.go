package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/reap"
	"slipway/pkg/service/state"
	"slipway/test/poll"
)

// hostOf is the host of a machine that has a port.
type hostOf struct {
	t    *testing.T
	port *port.Port
}

func withHost(t *testing.T, services ...string) (*testbed, *hostOf) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := prepare(t, "quiet", services...)
	m.guest.Port = port.New(os.NewFile(uintptr(ends[0]), "guest"))
	h := &hostOf{t, port.New(os.NewFile(uintptr(ends[1]), "host"))}
	m.start()
	if got := h.hear(); got.Hello == nil || got.Hello.From != port.Services {
		t.Fatalf("the first word is %+v", got)
	}
	return m, h
}

func (h *hostOf) say(m port.Message) {
	h.t.Helper()
	if err := h.port.Send(m, poll.Longest); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hostOf) hear() port.Message {
	h.t.Helper()
	m, err := h.port.Receive()
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

func TestHostWantsReport(t *testing.T) {
	m, h := withHost(t, "good run", "bad exit 7 restart=no")
	h.say(port.Message{Request: &port.Request{Report: true, Timeline: true}})
	if got := h.hear(); len(got.Timeline) == 0 {
		t.Errorf("no timeline, but %+v", got)
	}
	r := h.hear().Report
	if r == nil || !r.Final || len(r.Faults) != 1 || r.Faults[0] != "bad: exit status 7" || len(r.Containers) != 2 || r.Containers[0].Cause != "exit status 7" {
		t.Errorf("report %+v", r)
	}
	if end := <-m.ends; end != bundle.Poweroff {
		t.Errorf("the machine is asked for %s", end)
	}
	saw(t, m.console(), "slipway: report: failed: bad: exit status 7")
	// Who asks again, as after a hello, gets nothing twice.
	h.say(port.Message{Request: &port.Request{Report: true, Timeline: true}})
	h.say(port.Message{Ping: 5})
	if got := h.hear(); got.Pong != 5 {
		t.Errorf("heard %+v", got)
	}
}

// A host that expects lines as well says itself when the machine has shown enough, unless
// the report tells of a failure.
func TestHostHoldsMachine(t *testing.T) {
	held := port.Message{Request: &port.Request{Report: true, Hold: true}}
	m, h := withHost(t, "good run")
	h.say(held)
	if r := h.hear().Report; r == nil || !r.Final || len(r.Faults) > 0 {
		t.Fatalf("report %+v", r)
	}
	poll.Until(t, "the report is noted", func() bool {
		_, err := os.Lstat(m.guest.Paths.RunDir("reported"))
		return err == nil
	})
	select {
	case end := <-m.ends:
		t.Errorf("the machine is asked for %s", end)
	default:
	}
	h.say(port.Message{Request: &port.Request{Report: true, Poweroff: true}})
	if end := <-m.ends; end != bundle.Poweroff {
		t.Errorf("the machine is asked for %s", end)
	}

	m, h = withHost(t, "bad exit 7 restart=no")
	h.say(held)
	if r := h.hear().Report; r == nil || len(r.Faults) != 1 {
		t.Fatalf("report %+v", r)
	}
	if end := <-m.ends; end != bundle.Poweroff {
		t.Errorf("the machine is asked for %s", end)
	}
}

// A report waits for the scripts behind the services, and has those that failed.
func TestReportHasScripts(t *testing.T) {
	m, h := withHost(t, "good run")
	note := machine.Scripts{Failed: []string{"/etc/init.d/001-a: exit status 1"}, Running: "/etc/init.d/900-b"}
	leave := func() {
		t.Helper()
		if err := note.Write(m.guest.Paths.RunDir()); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	m.await("good", state.Ready)
	h.say(port.Message{Request: &port.Request{Report: true, Now: true}})
	if r := h.hear().Report; r == nil || r.Final || strings.Join(r.Faults, "; ") != "/etc/init.d/001-a: exit status 1; /etc/init.d/900-b: still running" {
		t.Errorf("report %+v", r)
	}
	note = machine.Scripts{Failed: append(note.Failed, "/etc/init.d/900-b: exit status 2"), Over: true}
	leave()
	if r := h.hear().Report; r == nil || !r.Final || strings.Join(r.Faults, "; ") != "/etc/init.d/001-a: exit status 1; /etc/init.d/900-b: exit status 2" {
		t.Errorf("report %+v", r)
	}
}

// At its timeout the host asks how all are now.
func TestHostAsksNow(t *testing.T) {
	m, h := withHost(t, "good run", "never run ready=file:/none", "after run after=never")
	m.await("never", state.Running)
	m.await("good", state.Ready)
	h.say(port.Message{Request: &port.Request{Report: true, Timeline: true, Now: true}})
	if got := h.hear(); len(got.Timeline) == 0 {
		t.Errorf("no timeline, but %+v", got)
	}
	r := h.hear().Report
	if r == nil || r.Final || len(r.Faults) != 2 {
		t.Fatalf("report %+v", r)
	}
	saw(t, r.Faults[0]+"\n"+r.Faults[1], `never: not ready yet \(file:/none`, `after: waits for never`)
	saw(t, m.console(), "never +running", "slipway: so far: ")
	h.say(port.Message{Request: &port.Request{Poweroff: true}})
	if end := <-m.ends; end != bundle.Poweroff {
		t.Errorf("the machine is asked for %s", end)
	}
	m.end()
	if got := h.hear(); got.End == nil || got.End.Verb != port.Shutdown {
		t.Errorf("heard %+v", got)
	}
}

// A host that has seen enough at once still gets the timeline that it wants.
func TestHostWantsTimelineAtTheEnd(t *testing.T) {
	m, h := withHost(t, "never run ready=file:/none")
	m.await("never", state.Running)
	h.say(port.Message{Request: &port.Request{Timeline: true, Poweroff: true}})
	if end := <-m.ends; end != bundle.Poweroff {
		t.Errorf("the machine is asked for %s", end)
	}
	m.end()
	if got := h.hear(); len(got.Timeline) == 0 {
		t.Errorf("no timeline, but %+v", got)
	}
	if got := h.hear(); got.End == nil {
		t.Errorf("heard %+v", got)
	}
}

// A timeline that did not get to the host when the boot had settled gets there at the end.
func TestTimelineIsToldAgain(t *testing.T) {
	m, h := withHost(t, "good run")
	file := m.guest.Paths.RunDir(machine.Timeline)
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	h.say(port.Message{Request: &port.Request{Timeline: true}})
	poll.Until(t, "it is missed", func() bool { return strings.Contains(m.console(), "tell the host: ") })
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	m.end()
	if got := h.hear(); len(got.Timeline) == 0 {
		t.Errorf("no timeline, but %+v", got)
	}
}

// A request that comes while services stop is heard.
func TestLateRequestForTimeline(t *testing.T) {
	m, h := withHost(t, "deaf deaf ready=file:/none stop-timeout=1h")
	m.await("deaf", state.Running)
	m.stop()
	poll.Until(t, "it is asked to stop", func() bool { return strings.Contains(m.engine.Happened(), "TERM deaf") })
	if got := h.hear(); got.End == nil {
		t.Errorf("heard %+v", got)
	}
	h.say(port.Message{Request: &port.Request{Timeline: true}})
	if got := h.hear(); len(got.Timeline) == 0 {
		t.Errorf("no timeline, but %+v", got)
	}
	m.engine.EndAll(reap.Status{})
}

// A host that asks again and again and does not read is waited for a few times in all, and
// others are answered meanwhile.
func TestHostThatDoesNotRead(t *testing.T) {
	m, h := withHost(t, "good run")
	long := make([]byte, 1<<20) // more than the port takes
	if err := m.guest.Port.Send(port.Message{Timeline: long}, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the port takes all: %v", err)
	}
	for range 5 {
		h.say(port.Message{Request: &port.Request{Timeline: true}})
	}
	failures := func() int { return strings.Count(m.console(), "tell the host: ") }
	poll.Until(t, "the first is given up", func() bool { return failures() > 0 })
	before := failures()
	m.stop()
	if err := m.sup.Do(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
	m.end()
	if n := failures() - before; n > 4 { // the timeline under way, that of the end, once more; and the word that it ends
		t.Errorf("%d tries from the stop on:\n%s", n, m.console())
	}
}

// While files are handed out at the end, others are answered, and the watchdog is fed by the
// same loop.
func TestAnswersWhileItHandsOut(t *testing.T) {
	m, h := withHost(t, "good run")
	dir := m.guest.Paths.RunDir(machine.Output)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 4<<20) // more than the port takes while nobody reads
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.say(port.Message{Request: &port.Request{Output: 1 << 30}})
	poll.Until(t, "the request is noted", func() bool { return m.guest.WantsOutput() > 0 })
	m.stop()
	if got := h.hear(); got.End == nil {
		t.Fatalf("heard %+v", got)
	}
	if got := h.hear(); got.File == nil || got.File.Name != "file" {
		t.Fatalf("heard %+v", got)
	}
	if err := m.sup.Do(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
	for got := h.hear(); got.Files == nil; got = h.hear() {
		if got.File == nil {
			t.Fatalf("heard %+v", got)
		}
	}
	m.end()
}

// A line has its source, whatever it says.
func TestHostWantsLines(t *testing.T) {
	_, h := withHost(t, "a exit 0 restart=no", "b exit 0 restart=no")
	h.say(port.Message{Request: &port.Request{Lines: []string{"b", "none"}}})
	if got := h.hear(); got.Line == nil || *got.Line != (port.Line{From: "b", Text: "last words"}) {
		t.Errorf("heard %+v", got)
	}
	h.say(port.Message{Request: &port.Request{Lines: []string{"slipway"}}})
	poll.Until(t, "its last line", func() bool {
		got := h.hear()
		return got.Line != nil && got.Line.From == "slipway" && got.Line.Text == "services a: ended: exit status 0"
	})
}

func TestKernelText(t *testing.T) {
	for record, want := range map[string]string{
		"6,1,2,-;Run /init\n SUBSYSTEM=x\n": "Run /init", "4,1,2,c;part": "part",
		"12,1,2,-;Run /init": "", "30,1,2,-;x": "", "": "", "6": "", ";x": "",
	} {
		if got, ok := kernelText([]byte(record)); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", record, got, ok)
		}
	}
}
