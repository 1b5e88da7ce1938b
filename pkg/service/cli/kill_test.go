package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/pkg/machine"
	"slipway/pkg/service/state"
)

// TestSupervisorKilled kills the supervisor 250 times, or $SLIPWAY_KILLS, while services
// run, start, crash, and are stopped and started. Those that run run on; each
// exit status is known; no line of output is lost or doubled; nothing runs twice.
func TestSupervisorKilled(t *testing.T) {
	kills := 250
	if n, err := strconv.Atoi(os.Getenv("SLIPWAY_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	for _, name := range []string{"steady", "other"} {
		addService(t, dir, name, `echo run >>`+name+`.runs; trap 'echo end; exit 0' TERM
			i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done`,
			map[string]string{"slipway.log-max-size": "64M"})
	}
	// These take the next number in each run, note it as soon as they are alone,
	// and again when they exit with it.
	addService(t, dir, "crash", begin("crash", "-n")+`sleep 0.0$((n%7)); leave`, map[string]string{"slipway.restart": "always",
		"slipway.restart-delay": "1ms", "slipway.restart-max-delay": "20ms", "slipway.log-max-files": "5000"})
	addService(t, dir, "toggled", begin("toggled", "-w 5")+`trap leave TERM; while :; do sleep 0.01 9>&-; done`,
		map[string]string{"slipway.restart": "always", "slipway.log-max-files": "5000"})
	for _, name := range []string{"crash", "toggled"} {
		if err := errors.Join(os.WriteFile(dir+"/"+name+".begun", nil, 0o600), os.WriteFile(dir+"/"+name+".left", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	play(t, dir, kills)
	t.Log(lastLine(t, dir+"/console"))
	for _, name := range []string{"steady", "other"} {
		checkSteady(t, dir, name)
	}
	events := readEvents(t, dir)
	checkNumbers(t, events)
	for name, n := range atLeast(kills) {
		checkRuns(t, dir, name, events, n)
	}
}

// begin is the start of a script. The lock goes with the last process that has
// it, so two runs at a time cannot both have it. Where runs are killed, a child
// may outlive its run for a moment, as there is no cgroup here: then -w.
func begin(name, wait string) string {
	return strings.ReplaceAll(strings.ReplaceAll(`leave() { echo leave $n; echo $n >>NAME.left; exit $((n%200)); }
		exec 9>NAME.lock; flock WAIT 9 || { echo double >>NAME.begun; exit 1; }
		n=$(($(tail -n 1 NAME.begun 2>/dev/null || echo 0)+1)); echo $n >>NAME.begun; echo begin $n; `, "NAME", name), "WAIT", wait)
}

func checkSteady(t *testing.T, dir, name string) {
	t.Helper()
	if got := readFile(t, filepath.Join(dir, name+".runs")); got != "run\n" {
		t.Errorf("%s was started again: %q", name, got)
	}
	rec := record(t, dir, name)
	// A start that was cut short, before the program ran, is made again.
	if rec.Exits != 1 || rec.State != state.Stopped || rec.LastExit.Code != 0 {
		t.Errorf("%s: %+v", name, rec)
	}
	var want []string
	lines := logOf(t, dir, name)
	for i := range len(lines) - 1 {
		want = append(want, fmt.Sprintf("line %d", i+1))
	}
	sameLines(t, name, lines, append(want, "end"))
	t.Logf("%s: %d lines", name, len(lines))
	if len(lines) < 100 {
		t.Errorf("%s: %d lines", name, len(lines))
	}
}

func logOf(t *testing.T, dir, name string) (lines []string) {
	t.Helper()
	for line, err := range read.Read(t.Context(), layout.Paths{Run: dir + "/run", Log: dir + "/log"}, bundle.Services, name, read.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line.Text))
	}
	return lines
}

func sameLines(t *testing.T, name string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: line %d is %q, want %q", name, i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d lines, want %d", name, len(got), len(want))
	}
}

// checkNumbers: no event is lost or noted twice, and each goes on from the one
// before.
func checkNumbers(t *testing.T, events []state.Transition) {
	t.Helper()
	last := map[string]state.Transition{}
	for _, e := range events {
		before, known := last[e.Name]
		if known && (e.Seq != before.Seq+1 || e.From != before.To) {
			t.Fatalf("event %+v follows %+v", e, before)
		}
		last[e.Name] = e
	}
}

// checkRuns compares what a service did with what is recorded and logged.
func checkRuns(t *testing.T, dir, name string, events []state.Transition, enough int) {
	t.Helper()
	begun := strings.Fields(readFile(t, filepath.Join(dir, name+".begun")))
	left := strings.Fields(readFile(t, filepath.Join(dir, name+".left")))
	if slices.Contains(begun, "double") {
		t.Fatalf("%s ran twice at a time", name)
	}
	if len(left) < enough {
		t.Errorf("%s: only %d exits", name, len(left))
	}
	checkOutput(t, name, logOf(t, dir, name), begun, left)
	checkExits(t, name, events, left)
	rec := record(t, dir, name)
	t.Logf("%s: %d starts, %d began, %d left, %d exits", name, rec.Run, len(begun), len(left), rec.Exits)
	if rec.State != state.Stopped {
		t.Errorf("%s is %s in the end", name, rec.State)
	}
}

// checkOutput: each run that left said so, after it had said that it began. One
// that was killed may not have come to say either.
func checkOutput(t *testing.T, name string, lines, begun, left []string) {
	t.Helper()
	for _, n := range begun {
		must := slices.Contains(left, n)
		for _, want := range []string{"begin " + n, "leave " + n} {
			switch {
			case len(lines) > 0 && lines[0] == want:
				lines = lines[1:]
			case must:
				t.Fatalf("%s: no %q before %q", name, want, lines[:min(2, len(lines))])
			}
		}
	}
	if len(lines) > 0 {
		t.Fatalf("%s: %q is in the log and was not written", name, lines[0])
	}
}

// checkExits: each exit of its own is recorded with its status, in order. Only
// one that was being killed, or whose start was called off, may have left in that
// moment without having its own status recorded.
func checkExits(t *testing.T, name string, events []state.Transition, left []string) {
	t.Helper()
	spare := 0
	for _, e := range events {
		if e.Name != name || e.To != state.Cleaning {
			continue
		}
		code, exited := strings.CutPrefix(e.Cause, "exit status ")
		switch {
		case e.From == state.Starting && strings.Contains(e.Cause, context.Canceled.Error()), e.Cause == "killed by SIGKILL":
			spare++
		case e.From == state.Starting && e.Cause == "the supervisor died during the start":
			// The program did not run.
		case e.Cause == "killed by SIGTERM" && e.From == state.Stopping:
			// It was told to stop before it could hear that.
		case !exited:
			t.Fatalf("%s: an exit is recorded as %+v", name, e)
		default:
			for spare > 0 && len(left) > 0 && codeOf(t, left[0]) != code {
				left, spare = left[1:], spare-1
			}
			if len(left) == 0 || codeOf(t, left[0]) != code {
				t.Fatalf("%s: recorded is %s; what left is %v", name, e.Cause, left[:min(3, len(left))])
			}
			left = left[1:]
		}
	}
	if len(left) > spare {
		t.Errorf("%s: no record of the exits of %v", name, left)
	}
}

func codeOf(t *testing.T, run string) string {
	t.Helper()
	n, err := strconv.Atoi(run)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n % 200)
}

func lastLine(t *testing.T, file string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(readFile(t, file)), "\n")
	return lines[len(lines)-1]
}

func readEvents(t *testing.T, dir string) []state.Transition {
	t.Helper()
	var all []state.Transition
	for _, name := range []string{"events.jsonl.0", "events.jsonl"} {
		data, err := os.ReadFile(filepath.Join(dir, "run/slipway", name))
		if err != nil {
			continue // it is rotated only when it is long
		}
		for line := range bytes.Lines(data) {
			var e state.Transition
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("event %q: %v", line, err)
			}
			all = append(all, e)
		}
	}
	return all
}

func record(t *testing.T, dir, name string) state.Record {
	t.Helper()
	var r state.Record
	if err := machine.ReadJSON(filepath.Join(dir, "run/slipway/services", name+".json"), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
