package main

import (
	"fmt"
	"strings"
	"testing"

	"slipway/pkg/timeline"
)

func TestRecord(t *testing.T) {
	r, err := parseRecord(`[    0.1] a line of the kernel
BENCH now begin 1.50
BENCH running 10
BENCH sample before 100 90 7 20 3 /init 
BENCH sample before 200 190 8 30 4 /usr/bin/service supervise 
BENCH now end 3.25
BENCH sample after 100 90 9 25 3 /init 
BENCH sample after 210 200 8 30 4 /usr/bin/service supervise 
`)
	if err != nil {
		t.Fatal(err)
	}
	if took, err := r.took("begin", "end"); err != nil || took != 1.75 {
		t.Errorf("took %v, %v", took, err)
	}
	if s, err := r.spent("before", "after", "PID 1"); err != nil || s != (sample{ticks: 2, voluntary: 5}) {
		t.Errorf("PID 1 spent %v, %v", s, err)
	}
	if s := r.samples["after"]["supervisor"]; s.rss != 210 || s.pss != 200 {
		t.Errorf("supervisor is %v", s)
	}
	if _, err := r.took("begin", "never"); err == nil {
		t.Error("a name that was never said has a time")
	}
	if _, err := parseRecord("BENCH sample x 1 2 three 4 5 /init"); err == nil {
		t.Error("a word was taken for a number")
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(partNames(false) + "," + partNames(true)); err != nil || len(all) != len(parts) {
		t.Errorf("all parts are %v, %v", all, err)
	}
	if _, err := choose("boot,bot"); err == nil || !strings.Contains(err.Error(), `"bot"`) {
		t.Errorf("a part that is none: %v", err)
	}
}

func TestProfile(t *testing.T) {
	span := func(name, attributes string, from, to int) string {
		return fmt.Sprintf(`{"at":%d,"id":"%s%d","name":"%s"%s}`+"\n"+`{"at":%d,"id":"%s%d","end":true}`+"\n", from, name, from, name, attributes, to, name, from)
	}
	text := span("root", `,"phase":"pid1"`, 1000, 3000) + span("clock", `,"phase":"pid1"`, 3000, 3100)
	for i := range 4 {
		of, at := fmt.Sprintf(`,"phase":"onboot","container":"%d"`, i), 10000*(i+1)
		text += span("create", of, at, at+1000*(i+1)) + span("run", of, at, at+5000)
	}
	spans, err := timeline.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := entries(spans)
	got := profileTable([][]entry{all, all})
	for _, want := range []string{
		"| kernel, and what came before it | 1.0 | 1.0 |\n", "| PID 1: root | 2.0 | 2.0 |\n", "| onboot, of it create | 3.0 | 3.0 |\n",
		"| onboot, the first | 5.0 | 5.0 |\n", "| all, until the last service is there | 45.0 | 45.0 |\n", "less than 0.5 | 0.1 | 0.1 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no row %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "of it run") || strings.Contains(got, "clock") {
		t.Errorf("rows that should not be there:\n%s", got)
	}
}

func TestGrown(t *testing.T) {
	console := `BENCH memory 3000
BENCH now begin 1.00
BENCH now end 2.00
BENCH memory 1000
BENCH sample started 9236 9232 10 674 135 /usr/bin/service supervise 
BENCH now ask 3.00
BENCH now answer 3.25
BENCH running 10
BENCH now kill 4.00
BENCH now back 4.50
BENCH now down 10.00
[   11.500000] reboot: Power down
`
	r, err := parseRecord(console)
	if err != nil {
		t.Fatal(err)
	}
	want := growth{start: 0.1, list: 0.25, takeover: 0.5, down: 0.15, used: 200, rss: 9236}
	if got, err := grown(r, console, 10); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := grown(r, console, 11); err == nil {
		t.Error("a service that does not run is not missed")
	}
	if _, err := grown(r, strings.ReplaceAll(console, "Power", ""), 10); err == nil {
		t.Error("the end is not missed")
	}
}
