package qemu

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"slices"
	"testing"
	"time"

	"slipway/pkg/port"
)

// TestOutcome reads back what programs read of a run.
func TestOutcome(t *testing.T) {
	containers := []port.Container{{Section: "onboot", Name: "dhcp", State: "done"}, {Section: "services", Name: "web", State: "failed"}}
	for _, c := range []struct {
		res      Result
		status   int
		failures []string // names of JUnit's tests
	}{
		{Result{Ending: PoweredOff, Elapsed: 1500 * time.Millisecond}, 0, nil},
		{Result{Ending: PoweredOff, wantReport: true, Report: "ok", Containers: containers}, 0, nil},
		{Result{Ending: PoweredOff, wantReport: true, Report: "failed: web: exit status 1; onboot: <x> & \x1b", Faults: []string{"web: exit status 1", "onboot: <x> & \x1b"}, Containers: containers}, 1, []string{"run", "web", "report"}},
		{Result{Ending: Panicked, Cause: "Kernel panic - not syncing: <nobody>", Killed: true, Tail: []string{"a", "b"}}, 3, []string{"run"}},
		{Result{Ending: PoweredOff, Missing: []string{"^suite passed$"}}, 8, []string{"run"}},
	} {
		var text bytes.Buffer
		var out outcome
		if err := c.res.WriteJSON(&text, "machine"); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text.Bytes(), &out); err != nil || out.Name != "machine" || out.Status != c.status || out.Ending != c.res.Ending ||
			out.Seconds != c.res.Elapsed.Seconds() || !slices.Equal(out.Containers, c.res.Containers) || !slices.Equal(out.Faults, c.res.Faults) {
			t.Errorf("%s: JSON %s: %v", c.res, text.String(), err)
		}
		text.Reset()
		if err := c.res.WriteJUnit(&text, "machine"); err != nil {
			t.Fatal(err)
		}
		var s suite
		if err := xml.Unmarshal(text.Bytes(), &s); err != nil {
			t.Errorf("%s: JUnit %s: %v", c.res, text.String(), err)
		}
		var failures []string
		for _, test := range s.Cases {
			if test.Failure != nil && test.Failure.Message != "" {
				failures = append(failures, test.Name)
			}
		}
		if !slices.Equal(failures, c.failures) || s.Failures != len(failures) || s.Tests != len(s.Cases) {
			t.Errorf("%s: JUnit tells of %q, want %q:\n%s", c.res, failures, c.failures, text.String())
		}
	}
}

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int{"1024": 1024, "512M": 512, "1G": 1024, "2g": 2048, "2048K": 2, "1T": 1 << 20, "": 0, "0": 0, "1.5G": 0, "-1": 0, "1000K": 0, "G": 0, "1GB": 0} {
		got, err := ParseMemory(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}
