package qemu

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/port"
)

// script is what a machine shows: lines, events ("event:NAME" or
// "event:SHUTDOWN=reason"), messages on the port ("port:JSON") and passing time
// ("+5s"). QEMU's own death is "died:why"; with "alive" a question is answered
// from then on, with "dead" no more.
type script []string

// play feeds a judge and returns its verdict and what it did on the way, as
// words with the seconds since the start.
func play(t *testing.T, w Watch, s script) (Result, []string) {
	t.Helper()
	now := time.Unix(1000, 0)
	start := now
	j := newJudge(w, now)
	died, did, alive := "", []string(nil), false
	act := func() {
		if a := j.clock(now); a != nothing {
			did = append(did, map[action]string{pressPower: "power", pressReset: "reset", quit: "quit"}[a]+"@"+now.Sub(start).String())
		}
		said := j.say
		for j.say = nil; len(said) > 0; said = said[1:] {
			if said[0].Ping > 0 && alive {
				j.message(port.Message{Pong: said[0].Ping}, now)
			}
			if w := said[0].Request; w != nil && w.Now {
				did = append(did, "ask@"+now.Sub(start).String())
			}
		}
	}
	for _, step := range s {
		switch {
		case strings.HasPrefix(step, "+"):
			d, err := time.ParseDuration(step[1:])
			if err != nil {
				t.Fatal(err)
			}
			for end := now.Add(d); now.Before(end); {
				now = now.Add(time.Second)
				act()
			}
		case strings.HasPrefix(step, "event:"):
			var e Event
			e.Name, e.Data.Reason, _ = strings.Cut(step[6:], "=")
			j.event(e, now)
		case strings.HasPrefix(step, "died:"):
			died = step[5:]
		case step == "user: off":
			j.askOff(now)
		case step == "alive", step == "dead":
			alive = step == "alive"
		case strings.HasPrefix(step, "port:"):
			var m port.Message
			if err := json.Unmarshal([]byte(step[5:]), &m); err != nil {
				t.Fatal(err)
			}
			j.message(m, now)
		default:
			j.output = now
			j.line(step, now)
		}
		act()
	}
	return j.finish(died, now), did
}

func patterns(s ...string) (all []*regexp.Regexp) {
	for _, p := range s {
		all = append(all, regexp.MustCompile(p))
	}
	return all
}

const (
	off   = "event:SHUTDOWN=guest-shutdown"
	reset = "event:SHUTDOWN=guest-reset"
	again = "event:RESET=guest-reset"
	// What the guest says.
	hello   = `port:{"hello":{"from":"init"}}`
	hellopv = `port:{"hello":{"from":"init","pvpanic":true}}`
	ok      = `port:{"report":{"final":true}}`
	bad     = `port:{"report":{"final":true,"faults":["a: exit status 1","b: waits"]}}`
	going   = `port:{"end":{"verb":"poweroff"}}`
	reboots = `port:{"end":{"verb":"reboot"}}`
	halts   = `port:{"end":{"verb":"halt"}}`
	noMem   = `port:{"end":{"verb":"poweroff","oom":"Out of memory: Killed process 77 (sshd)"}}`
	// What a kernel prints, or a container that likes to be taken for one.
	panics    = "[ 1.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x100"
	panicsEnd = "[ 1.4] ---[ end Kernel panic - not syncing: ..."
	oomKill   = "[ 9.1] Out of memory: Killed process 77 (sshd) total-vm:1"
	halted    = "[ 1.0] reboot: System halted"
)

// TestSeen names each pattern with the first line it has matched, and not those that no
// line did.
func TestSeen(t *testing.T) {
	long := "suite " + strings.Repeat("é", 200)
	w := Watch{Expect: patterns("suite", "never", "^b"), ExpectFrom: []Source{{"web", regexp.MustCompile("up$")}}}
	res, _ := play(t, w, script{hello, "a", long, "suite again", "b", `port:{"line":{"from":"web","text":"it is \u001b[1mup"}}`, `port:{"line":{"from":"db","text":"up"}}`, off})
	want := []Match{{"suite", "suite " + strings.Repeat("é", 97)}, {"^b", "b"}, {"web=up$", "it is  [1mup"}}
	if !slices.Equal(res.Seen, want) || !slices.Equal(res.Missing, []string{"never"}) {
		t.Errorf("seen %q, missing %q", res.Seen, res.Missing)
	}
	if text := res.String(); !strings.Contains(text, `, ^b ("b"), web=up$ ("it is  [1mup"); expected and not seen: never (after`) || !strings.Contains(text, "; seen: suite (\"suite é") {
		t.Error(text)
	}
}

type judgeTest struct {
	name   string
	watch  Watch
	script script
	ending Ending
	status int
	did    string
	cause  string
}

func TestJudge(t *testing.T) {
	report := Watch{Report: true}
	runJudge(t, []judgeTest{
		{"power-off", Watch{}, script{"hello", off}, PoweredOff, 0, "", ""},
		{"reboot", Watch{}, script{reset}, Rebooted, 0, "", ""},
		{"timeout", Watch{Timeout: 10 * time.Second}, script{"x", "+20s"}, TimedOut, 5, "quit@10s", "10s"},
		{"timeout of one that can tell", Watch{Timeout: 10 * time.Second}, script{hello, "+11s", `port:{"report":{"faults":["web: not ready"]}}`}, TimedOut, 5, "ask@10s quit@11s", "10s"},
		{"timeout of one that does not", Watch{Timeout: 10 * time.Second}, script{hello, "+30s"}, TimedOut, 5, "ask@10s quit@20s", "10s"},
		{"silence", Watch{Idle: 5 * time.Second}, script{"+3s", "x", "+9s"}, Hung, 5, "quit@8s", "5s"},
		{"watchdog", Watch{}, script{"event:WATCHDOG", reset}, Hung, 5, "", "watchdog"},
		{"QEMU dies", Watch{}, script{"died:exit status 1: bad option"}, Died, 6, "", "bad option"},
		{"QEMU ends for no reason", Watch{}, script{}, Died, 6, "", ""},
		{"fail-on", Watch{FailOn: patterns("^FAIL")}, script{"ok", "FAIL: no disk", "more", "+3s"}, FailMatched, 7, "quit@1s", "FAIL: no disk"},
		{"expect, seen", Watch{Expect: patterns("login:")}, script{"host login: ", going, "+1s", off}, PoweredOff, 0, "power@0s", ""},
		{"expect, all of them", Watch{Expect: patterns("one", "two")}, script{"two", "+1s", "one", off}, PoweredOff, 0, "power@1s", ""},
		{"expect, not seen", Watch{Expect: patterns("one", "two")}, script{"two", off}, PoweredOff, 8, "", ""},
		{"expect, then the guest ignores the button and obeys Ctrl-Alt-Del", Watch{Expect: patterns("x")}, script{"x", "+6s", reset}, PoweredOff, 0, "power@0s reset@5s", ""},
		{"expect, then a panic", Watch{Expect: patterns("x")}, script{"x", panics, "event:GUEST_PANICKED", "+2s"}, Panicked, 3, "power@0s quit@2s", ""},
		{"a guest at work is not reset", Watch{}, script{"user: off", "+3s", "stopping", "+4s", "stopped", off}, PoweredOff, 0, "power@0s", ""},
		{"a guest that only went on talking is", Watch{}, script{"user: off", "+3s", "chatter", "+6s", reset}, PoweredOff, 0, "power@0s reset@8s", ""},
		{"one that goes down in silence is not", Watch{}, script{hello, "user: off", going, "+20s", off}, PoweredOff, 0, "power@0s", ""},
		{"one that heard late has its time from then on", Watch{}, script{hello, "user: off", "+20s", going, "+25s", off}, PoweredOff, 0, "power@0s reset@5s", ""},
		{"asked twice", Watch{}, script{"user: off", "+1s", "user: off"}, Stopped, 1, "power@0s quit@1s", ""},
		{"asked and deaf", Watch{}, script{"user: off", "+40s"}, Stopped, 1, "power@0s reset@5s quit@30s", ""},
		{"on its way and given time", Watch{Off: time.Minute}, script{hello, "user: off", going, "+50s", off}, PoweredOff, 0, "power@0s", ""},
		{"asked and given time", Watch{Off: time.Minute}, script{"user: off", "+70s"}, Stopped, 1, "power@0s reset@5s quit@1m0s", ""},
		{"report", report, script{hello, ok, off}, PoweredOff, 0, "", ""},
		{"report of a failure", report, script{hello, bad, off}, PoweredOff, 1, "", ""},
		{"the first report counts", report, script{hello, bad, ok, off}, PoweredOff, 1, "", ""},
		{"a report that is not final", report, script{hello, `port:{"report":{}}`, off}, PoweredOff, 1, "", ""},
		{"a report that a container prints", report, script{hello, "slipway: report: ok", "hello slipway: report: ok", off}, PoweredOff, 1, "", ""},
		{"no report", report, script{off}, PoweredOff, 1, "", ""},
		{"nobody who could report", report, script{"+6m"}, Mute, 1, "quit@5m0s", ""},
		{"report and expect", Watch{Report: true, Expect: patterns("x")}, script{hello, "x", ok, off}, PoweredOff, 0, "power@0s", ""},
		{"a line behind the report", Watch{Report: true, Expect: patterns("x")}, script{hello, ok, "+9s", "x", going, off}, PoweredOff, 0, "power@9s", ""},
		{"a line behind the report, of one that is waiting", Watch{Report: true, Expect: patterns("x", "y")}, script{hello, "x", ok, "+20s", "y", going, off}, PoweredOff, 0, "power@10s reset@15s", ""},
		{"a good machine has its time to go down", Watch{Report: true, Expect: patterns("x")}, script{hello, "x", ok, going, "+60s", off}, PoweredOff, 0, "power@0s", ""},
		{"a machine that goes down while it is waited for", Watch{Report: true, Expect: patterns("x")}, script{hello, ok, "+2s", going, "+60s", off}, PoweredOff, 8, "", ""},
		{"all lines before the report", Watch{Report: true, Expect: patterns("x")}, script{hello, "x", "+3s", ok, going, off}, PoweredOff, 0, "power@3s", ""},
		{"a report of a failure waits for no line", Watch{Report: true, Expect: patterns("x")}, script{hello, bad, "+20s", off}, PoweredOff, 8, "", ""},
		{"a machine on its way down waits for no line", Watch{Report: true, Expect: patterns("x")}, script{hello, going, ok, "+20s", off}, PoweredOff, 8, "", ""},
		{"report, expect not seen", Watch{Report: true, Expect: patterns("x")}, script{hello, ok, off}, PoweredOff, 8, "", ""},
		{"expect-from", Watch{ExpectFrom: sources("web=^up$")}, script{hello, `port:{"line":{"from":"web","text":"up"}}`, going, off}, PoweredOff, 0, "power@0s", ""},
		{"expect-from, of another", Watch{ExpectFrom: sources("web=^up$")}, script{hello, "up", "web: up", `port:{"line":{"from":"liar","text":"up"}}`, off}, PoweredOff, 8, "", ""},
		{"fail-on-from", Watch{FailOnFrom: sources("web=bad")}, script{hello, "bad", `port:{"line":{"from":"web","text":"bad luck"}}`, "+2s"}, FailMatched, 7, "quit@1s", "web: bad luck"},
	})
}

// What a kernel writes with its last breath is a suspicion, and the machine has
// to behave accordingly.
func TestJudgeSuspects(t *testing.T) {
	runJudge(t, []judgeTest{
		{"panic that QEMU tells of", Watch{}, script{hellopv, panics, "[ 1.3] CPU: 0", "event:GUEST_PANICKED", panicsEnd, "+1s"}, Panicked, 3, "quit@1s", "exitcode=0x100"},
		{"panic, the text later", Watch{}, script{hellopv, "event:GUEST_PANICKED", panics, panicsEnd, "+1s"}, Panicked, 3, "quit@1s", "exitcode=0x100"},
		{"panic, the text late on a slow console", Watch{}, script{hellopv, "event:GUEST_PANICKED", "+4s", panics, "+3s"}, Panicked, 3, "quit@6s", "exitcode=0x100"},
		{"panic without a console", Watch{}, script{"event:GUEST_PANICKED", "+11s"}, Panicked, 3, "quit@10s", "pvpanic"},
		{"panic before anybody speaks", Watch{}, script{panics, panicsEnd, "+9s"}, Panicked, 3, "quit@5s", "exitcode=0x100"},
		{"panic that nobody can deny", Watch{}, script{hello, panics, "+3s", panicsEnd, "+19s"}, Panicked, 3, "quit@13s", "exitcode=0x100"},
		{"panic that reboots", Watch{}, script{panics, reset}, Panicked, 3, "", "exitcode"},
		{"panic that reboots into another run", Watch{}, script{hello, panics, again, "+1s"}, Panicked, 3, "quit@0s", "exitcode"},
		{"panic explained", Watch{}, script{"[ 0.9] Initramfs unpacking failed: write error", panics, "+6s"}, Panicked, 3, "quit@5s", "Initramfs unpacking failed"},
		{"oom kill, then power-off", Watch{}, script{oomKill, off}, OutOfMemory, 4, "", "Killed process 77 (sshd)"},
		{"oom kill that the guest tells of", Watch{}, script{hello, noMem, off}, OutOfMemory, 4, "", "Killed process 77 (sshd)"},
		{"oom of a cgroup is the container's matter", Watch{}, script{"Memory cgroup out of memory: Killed process 9 (x)", off}, PoweredOff, 0, "", ""},
		{"oom panic", Watch{}, script{"Kernel panic - not syncing: System is deadlocked on memory", "+6s"}, OutOfMemory, 4, "quit@5s", "deadlocked"},
		{"oom kill, then init dies", Watch{}, script{oomKill, panics, "+6s"}, OutOfMemory, 4, "quit@5s", "Killed process 77"},
		{"halt", Watch{}, script{hello, halts, halted}, Halted, 0, "quit@0s", ""},
		{"halt of who cannot speak", Watch{}, script{halted, "+6s"}, Halted, 0, "quit@5s", ""},
		{"halt without a word", Watch{}, script{hello, halted, "+11s"}, Halted, 0, "quit@10s", ""},

		{"forged panic", Watch{}, script{hello, "alive", panics, panicsEnd, "+60s", off}, PoweredOff, 0, "", ""},
		{"forged panic under pvpanic", Watch{}, script{hellopv, panics, panicsEnd, "+60s", off}, PoweredOff, 0, "", ""},
		{"forged panic, then silence by the answer of before", Watch{}, script{hello, "alive", panics, "dead", panics, "+11s"}, Panicked, 3, "quit@10s", ""},
		{"panic, while another processor still answers", Watch{}, script{hello, "alive", panics, "+2s", "dead", "+9s"}, Panicked, 3, "quit@10s", ""},
		{"forged panic, whoever was asked is killed", Watch{}, script{hello, "dead", panics, "+5s", "alive", hello, "+60s", off}, PoweredOff, 0, "", ""},
		{"forged panic, long before a real one", Watch{}, script{hellopv, "alive", "Kernel panic - not syncing: Out of memory", "+9s", "event:GUEST_PANICKED", panics, "+3s"}, Panicked, 3, "quit@11s", "exitcode"},
		{"forged panic, then a reboot that was told", Watch{}, script{hello, "alive", panics, reboots, "dead", panics, reset}, Rebooted, 0, "", ""},
		{"forged panic while the machine goes down", Watch{}, script{hello, going, panics, "+25s", off}, PoweredOff, 0, "", ""},
		{"forged halt", Watch{}, script{hello, "alive", halted, "+60s", off}, PoweredOff, 0, "", ""},
		{"forged halt while the machine goes down", Watch{}, script{hello, going, halted, "+25s", off}, PoweredOff, 0, "", ""},
		{"forged oom kill", Watch{}, script{hello, oomKill, off}, PoweredOff, 0, "", ""},
		{"forged before the programs are there: they know better", Watch{}, script{oomKill, hello, off}, PoweredOff, 0, "", ""},
	})
}

func sources(s ...string) (all []Source) {
	for _, text := range s {
		v, err := ParseSource(text)
		if err != nil {
			panic(err)
		}
		all = append(all, v)
	}
	return all
}

// The guest hears all that is wanted with its first word, and again with that of
// each program that takes over.
func TestJudgeAnswersHello(t *testing.T) {
	j := newJudge(Watch{Report: true, ExpectFrom: sources("web=x")}, time.Now())
	if j.request(); len(j.say) > 0 {
		t.Errorf("said to nobody: %v", j.say)
	}
	for range 2 {
		j.message(port.Message{Hello: &port.Hello{From: port.Init}}, time.Now())
		if len(j.say) != 1 || j.say[0].Request == nil || !j.say[0].Request.Report || len(j.say[0].Request.Lines) != 1 || j.say[0].Request.Poweroff {
			t.Errorf("said %+v", j.say)
		}
		j.say = nil
	}
	j.askOff(time.Now())
	if len(j.say) != 1 || !j.say[0].Request.Poweroff {
		t.Errorf("said %+v", j.say)
	}
}

// A press that comes before the guest has a driver for the button is lost.
func TestJudgePressesAgain(t *testing.T) {
	now := time.Now()
	j := newJudge(Watch{}, now)
	j.askOff(now)
	presses := 0
	for i := range 100 {
		now = now.Add(100 * time.Millisecond)
		j.output = now
		if i == 45 {
			j.message(port.Message{End: &port.End{Verb: "poweroff"}}, now)
		}
		if j.clock(now) == pressPower {
			presses++
		}
	}
	if presses != 5 {
		t.Errorf("pressed %d times in 4.5 seconds", presses)
	}
}

// What the guest says is shown on somebody's terminal.
func TestReportIsCleaned(t *testing.T) {
	j := newJudge(Watch{Report: true}, time.Now())
	j.message(port.Message{Report: &port.Report{Final: true, Faults: []string{"\x1b]0;x\x07web: a\nb"}}}, time.Now())
	if j.res.Report != "failed: ]0;x web: a b" {
		t.Errorf("%q", j.res.Report)
	}
}

// What fails behind the report fails the run; without a report nobody asked.
func TestFailsOnTheWayDown(t *testing.T) {
	failed := port.Message{Failed: []string{"/etc/shutdown.d/x: exit status 1"}}
	for _, c := range []struct {
		faults []string
		report bool
		want   string
	}{
		{nil, true, "failed: /etc/shutdown.d/x: exit status 1"},
		{[]string{"web: a"}, true, "failed: web: a; /etc/shutdown.d/x: exit status 1"},
		{nil, false, ""},
	} {
		j := newJudge(Watch{Report: c.report}, time.Now())
		if c.report {
			j.message(port.Message{Report: &port.Report{Final: true, Faults: c.faults}}, time.Now())
		}
		j.message(failed, time.Now())
		j.shutdown = "guest-shutdown"
		if res := j.finish("", time.Now()); res.Report != c.want || (res.Status() == StatusOK) == c.report {
			t.Errorf("%v: %q, status %d", c.faults, res.Report, res.Status())
		}
	}
}

func runJudge(t *testing.T, tests []judgeTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, did := play(t, tt.watch, tt.script)
			// A machine that is told to end is told so again until it is gone.
			if got := strings.Join(firsts(did), " "); got != tt.did {
				t.Errorf("did %q, want %q", got, tt.did)
			}
			if res.Ending != tt.ending || res.Status() != tt.status {
				t.Errorf("ended %q with status %d, want %q with %d", res.Ending, res.Status(), tt.ending, tt.status)
			}
			if !strings.Contains(res.Cause, tt.cause) {
				t.Errorf("cause %q, want %q in it", res.Cause, tt.cause)
			}
		})
	}
}

// firsts keeps the first of each kind of action.
func firsts(did []string) (kept []string) {
	seen := map[string]bool{}
	for _, d := range did {
		kind, _, _ := strings.Cut(d, "@")
		if !seen[kind] {
			kept = append(kept, d)
		}
		seen[kind] = true
	}
	return kept
}

func TestTailIsBounded(t *testing.T) {
	j := newJudge(Watch{}, time.Now())
	for range 10_000 {
		j.line("x", time.Now())
	}
	j.line("last", time.Now())
	if n := len(j.res.Tail); n != tailLines || j.res.Tail[n-1] != "last" {
		t.Errorf("%d lines are kept, the last is %q", n, j.res.Tail[n-1])
	}
}
