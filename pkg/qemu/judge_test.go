package qemu

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// script is what a machine shows: lines, events ("event:NAME" or
// "event:SHUTDOWN=reason") and passing time ("+5s"). QEMU's own death is "died:why".
type script []string

// play feeds a judge and returns its verdict and what it did on the way, as
// words with the seconds since the start.
func play(t *testing.T, w Watch, s script) (Result, []string) {
	t.Helper()
	now := time.Unix(1000, 0)
	start := now
	j := newJudge(w, now)
	died, did := "", []string(nil)
	act := func() {
		if a := j.clock(now); a != nothing {
			did = append(did, map[action]string{pressPower: "power", pressReset: "reset", quit: "quit"}[a]+"@"+now.Sub(start).String())
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
)

func TestJudge(t *testing.T) {
	report := Watch{Report: true}
	tests := []struct {
		name   string
		watch  Watch
		script script
		ending Ending
		status int
		did    string
		cause  string
	}{
		{"power-off", Watch{}, script{"hello", off}, PoweredOff, 0, "", ""},
		{"reboot", Watch{}, script{reset}, Rebooted, 0, "", ""},
		{"halt", Watch{}, script{"[ 1.0] reboot: System halted"}, Halted, 0, "quit@0s", ""},
		{"panic", Watch{}, script{"[ 1.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x100", "[ 1.3] CPU: 0", "[ 1.4] ---[ end Kernel panic - not syncing: ...", "+1s"}, Panicked, 3, "quit@1s", "exitcode=0x100"},
		{"panic that reboots", Watch{}, script{"Kernel panic - not syncing: VFS: x", reset}, Panicked, 3, "", "VFS: x"},
		{"panic without a console", Watch{}, script{"event:GUEST_PANICKED", "+3s"}, Panicked, 3, "quit@2s", "pvpanic"},
		{"panic explained", Watch{}, script{"[ 0.9] Initramfs unpacking failed: write error", "Kernel panic - not syncing: VFS: x", "+2s"}, Panicked, 3, "quit@2s", "Initramfs unpacking failed"},
		{"oom kill, then power-off", Watch{}, script{"[ 9.1] Out of memory: Killed process 77 (sshd) total-vm:1", off}, OutOfMemory, 4, "", "Killed process 77 (sshd)"},
		{"oom of a cgroup is the container's matter", Watch{}, script{"Memory cgroup out of memory: Killed process 9 (x)", off}, PoweredOff, 0, "", ""},
		{"oom panic", Watch{}, script{"Kernel panic - not syncing: System is deadlocked on memory", "+2s"}, OutOfMemory, 4, "quit@2s", "deadlocked"},
		{"oom kill, then init dies", Watch{}, script{"Out of memory: Killed process 7 (x)", "Kernel panic - not syncing: Attempted to kill init!", "+2s"}, OutOfMemory, 4, "quit@2s", "Killed process 7"},
		{"timeout", Watch{Timeout: 10 * time.Second}, script{"x", "+20s"}, TimedOut, 5, "quit@10s", "10s"},
		{"silence", Watch{Idle: 5 * time.Second}, script{"+3s", "x", "+9s"}, Hung, 5, "quit@8s", "5s"},
		{"watchdog", Watch{}, script{"event:WATCHDOG", reset}, Hung, 5, "", "watchdog"},
		{"QEMU dies", Watch{}, script{"died:exit status 1: bad option"}, Died, 6, "", "bad option"},
		{"QEMU ends for no reason", Watch{}, script{}, Died, 6, "", ""},
		{"fail-on", Watch{FailOn: patterns("^FAIL")}, script{"ok", "FAIL: no disk", "more", "+3s"}, FailMatched, 7, "quit@1s", "FAIL: no disk"},
		{"expect, seen", Watch{Expect: patterns("login:")}, script{"host login: ", "+1s", off}, PoweredOff, 0, "power@0s", ""},
		{"expect, all of them", Watch{Expect: patterns("one", "two")}, script{"two", "+1s", "one", off}, PoweredOff, 0, "power@1s", ""},
		{"expect, not seen", Watch{Expect: patterns("one", "two")}, script{"two", off}, PoweredOff, 8, "", ""},
		{"expect, then the guest ignores the button and obeys Ctrl-Alt-Del", Watch{Expect: patterns("x")}, script{"x", "+6s", reset}, PoweredOff, 0, "power@0s reset@5s", ""},
		{"expect, then a panic", Watch{Expect: patterns("x")}, script{"x", "Kernel panic - not syncing: y", "+2s"}, Panicked, 3, "power@0s quit@2s", ""},
		{"a guest at work is not reset", Watch{}, script{"user: off", "+3s", "stopping", "+4s", "stopped", off}, PoweredOff, 0, "power@0s", ""},
		{"a guest that only went on talking is", Watch{}, script{"user: off", "+3s", "chatter", "+6s", reset}, PoweredOff, 0, "power@0s reset@8s", ""},
		{"asked twice", Watch{}, script{"user: off", "+1s", "user: off"}, Stopped, 1, "power@0s quit@1s", ""},
		{"asked and deaf", Watch{}, script{"user: off", "+40s"}, Stopped, 1, "power@0s reset@5s quit@30s", ""},
		{"report", report, script{"slipway: report: ok", off}, PoweredOff, 0, "", ""},
		{"report after a prompt", report, script{"login: slipway: report: ok", off}, PoweredOff, 0, "", ""},
		{"report of a failure", report, script{"slipway: report: failed: a: exit status 1", off}, PoweredOff, 1, "", ""},
		{"no report", report, script{off}, PoweredOff, 1, "", ""},
		{"report and expect", Watch{Report: true, Expect: patterns("x")}, script{"x", "slipway: report: ok", off}, PoweredOff, 0, "", ""},
		{"report, expect not seen", Watch{Report: true, Expect: patterns("x")}, script{"slipway: report: ok", off}, PoweredOff, 8, "", ""},
	}
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
