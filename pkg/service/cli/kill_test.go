package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/logs"
	"slipway/pkg/service/host"
	"slipway/pkg/service/state"
)

// TestSupervisorKilled kills the supervisor a thousand times while services
// run, start and crash. Those that run run on; each exit status is known; no
// line of output is lost or doubled; nothing runs twice.
func TestSupervisorKilled(t *testing.T) {
	kills := 1000
	if testing.Short() {
		kills = 50
	}
	dir := t.TempDir()
	for _, name := range []string{"steady", "other"} {
		addService(t, dir, name, `echo run >>`+name+`.runs; trap 'echo end; exit 0' TERM
			i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done`,
			map[string]string{"slipway.log-max-size": "64M"})
	}
	// Each run of it takes the next code, notes it, and is alone.
	addService(t, dir, "crash", `mkdir crash.lock || echo double >>crash.codes
		n=$(cat crash.n 2>/dev/null || echo 0); n=$(((n+1)%200)); echo $n >crash.n
		echo crash $n; sleep 0.0$((n%7)); rmdir crash.lock; echo $n >>crash.codes; exit $n`,
		map[string]string{"slipway.restart": "always", "slipway.restart-delay": "1ms", "slipway.restart-max-delay": "20ms"})
	play(t, dir, kills)
	for _, name := range []string{"steady", "other"} {
		checkSteady(t, dir, name)
	}
	checkExits(t, dir)
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
	next, ended := 1, false
	for line, err := range logs.Read(t.Context(), logs.Paths{Run: dir + "/run", Log: dir + "/log"}, bundle.Services, name, logs.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if string(line.Text) == "end" {
			ended = true
			continue
		}
		if want := fmt.Sprintf("line %d", next); string(line.Text) != want {
			t.Fatalf("%s: log has %q, want %q", name, line.Text, want)
		}
		next++
	}
	t.Logf("%s: %d lines", name, next-1)
	if next < 100 || !ended {
		t.Errorf("%s: %d lines, end seen: %v", name, next-1, ended)
	}
}

// checkExits compares what the crashing service wrote with what is recorded.
func checkExits(t *testing.T, dir string) {
	t.Helper()
	wrote := strings.Fields(readFile(t, filepath.Join(dir, "crash.codes")))
	if slices.Contains(wrote, "double") {
		t.Fatal("crash ran twice at a time")
	}
	var known []string
	calledOff := false // the last start was given up before it was known to be one
	events := readEvents(t, dir)
	seq := map[string]int{}
	for _, e := range events {
		if seq[e.Name]++; e.Seq != seq[e.Name] && seq[e.Name] > 1 {
			t.Fatalf("event %d of %s follows %d", e.Seq, e.Name, seq[e.Name]-1)
		}
		seq[e.Name] = e.Seq
		if e.Name != "crash" || e.To != state.Cleaning {
			continue
		}
		calledOff = e.From == state.Starting
		if calledOff {
			continue
		}
		code := strings.TrimPrefix(e.Cause, "exit status ")
		known = append(known, code)
	}
	rec := record(t, dir, "crash")
	t.Logf("crash: %d exits, %d starts", rec.Exits, rec.Run)
	// The last run may have been stopped by the end of the test.
	if n := len(known); n > 0 && n == len(wrote)+1 && strings.HasPrefix(known[n-1], "killed") {
		known = known[:n-1]
	}
	// Or its start was called off by the end of the test, too late to keep the
	// program from running: that start counts as one that failed.
	if n := len(wrote); calledOff && n == len(known)+1 {
		wrote = wrote[:n-1]
	}
	if len(wrote) < 20 {
		t.Errorf("only %d exits", len(wrote))
	}
	if !slices.Equal(wrote, known) {
		for i := range min(len(wrote), len(known)) {
			if wrote[i] != known[i] {
				t.Fatalf("exit %d: was %s, recorded %q (%d and %d in all)", i, wrote[i], known[i], len(wrote), len(known))
			}
		}
		t.Fatalf("%d exits, %d recorded", len(wrote), len(known))
	}
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
	if err := host.ReadJSON(filepath.Join(dir, "run/slipway/services", name+".json"), &r); err != nil {
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
