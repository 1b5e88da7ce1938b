package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocumentKeepsWhatIsNotMeasured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.md")
	old := "# Old\n\nwords\n\n## " + parts[1].heading + "\n\nold host\n\n## " + parts[0].heading + "\n\nold boot\n\n## Notes\n\nby hand\n"
	if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := readDocument(file)
	if err != nil {
		t.Fatal(err)
	}
	d.put(parts[0].heading, "new boot\n")
	if err := d.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := preamble + "\n## " + parts[0].heading + "\n\nnew boot\n\n## " + parts[1].heading + "\n\nold host\n\n## Notes\n\nby hand\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

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
