package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/qemu"
)

// trouble are lines that no boot may show, whatever its case expects: a
// program of ours that crashed, a data race, a kernel that found a fault.
var trouble = []string{
	`^panic: `, `^fatal error: `, `^goroutine \d+ \[`, `WARNING: DATA RACE`,
	`\] BUG: `, `\] Oops: `, `\] ------------\[ cut here \]`, `blocked for more than \d+ seconds`,
}

// match says what the console lacks of what a boot should show.
func (b *boot) match(lines []string) (problems []string) {
	last := map[string]int{} // of each writer: behind the line that matched last
	for _, p := range b.Order {
		re := regexp.MustCompile(p)
		i := 0
		for i < len(lines) && (i < last[writer(lines[i])] || !re.MatchString(lines[i])) {
			i++
		}
		if i < len(lines) {
			last[writer(lines[i])] = i + 1
			continue
		}
		why := "never came"
		if find(lines, p) >= 0 {
			why = "came too early"
		}
		problems = append(problems, fmt.Sprintf("order: %s %s", p, why))
	}
	for _, p := range b.Seen {
		if find(lines, p) < 0 {
			problems = append(problems, fmt.Sprintf("seen: %s never came", p))
		}
	}
	for _, p := range slices.Concat(b.Never, trouble) {
		if i := find(lines, p); i >= 0 {
			problems = append(problems, fmt.Sprintf("never: %s matches line %d: %s", p, i+1, lines[i]))
		}
	}
	return problems
}

// writer is who wrote a line: a container, "slipway" for the machine, which also repeats a
// service's last lines indented, or "" for the kernel and what is typed. Nothing promises
// in which order the lines of two of them come: each has a pipe of its own.
func writer(line string) string {
	name, _, ok := strings.Cut(line, ": ")
	switch {
	case strings.HasPrefix(line, "  "):
		return "slipway"
	case !ok || strings.ContainsAny(name, " []"):
		return ""
	}
	return name
}

func find(lines []string, pattern string) int {
	return slices.IndexFunc(lines, regexp.MustCompile(pattern).MatchString)
}

func TestMatch(t *testing.T) {
	lines := []string{"one", "two", "three", "b: 1", "b: 2", "a: 1", "a: 2", "a: 3", "slipway: d", "  a: last words"}
	tests := []struct {
		boot boot
		want string
	}{
		{boot{Order: []string{"one", "^t", "three"}}, ""},
		{boot{Order: []string{"two", "one"}}, "order: one came too early"},
		{boot{Order: []string{"four"}}, "order: four never came"},
		{boot{Order: []string{"two", "two"}}, "order: two came too early"},
		{boot{Order: []string{"a: 2", "b: 1", "a: 3", "b: 2"}}, ""},
		{boot{Order: []string{"b: 2", "a: 1", "b: 1"}}, "order: b: 1 came too early"},
		{boot{Order: []string{": 2", ": 2", ": 3"}}, ""},
		{boot{Order: []string{"last words", "^slipway: d"}}, "order: ^slipway: d came too early"},
		{boot{Seen: []string{"three", "one"}}, ""},
		{boot{Seen: []string{"^hree"}}, "seen: ^hree never came"},
		{boot{Never: []string{"four"}}, ""},
		{boot{Never: []string{"w"}}, "never: w matches line 2: two"},
	}
	for _, tt := range tests {
		if got := strings.Join(tt.boot.match(lines), "; "); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.boot, got, tt.want)
		}
	}
	if got := (&boot{}).match([]string{"panic: x", "goroutine 1 [running]:"}); len(got) != 2 {
		t.Errorf("a crash is %q", got)
	}
}

func TestExpectBroken(t *testing.T) {
	if got := expectBroken("b", []string{"a", "b"}); got != nil {
		t.Errorf("a case that fails as it should: %q", got)
	}
	if got := expectBroken("b", []string{"a"}); len(got) != 1 {
		t.Errorf("a case that fails in another way: %q", got)
	}
	if got := expectBroken("b", nil); len(got) != 1 {
		t.Errorf("a case that passes and should not: %q", got)
	}
}

// What a boot awaits is said before the power button is pressed, and the report is printed
// and ends nothing. All else ends with the report, or with the line that it names.
func TestAwait(t *testing.T) {
	e := &expect{Append: "quiet"}
	for _, c := range []struct {
		boot  boot
		words string
		lines []string
	}{
		{boot{Await: []string{"^a", "^b"}}, "quiet  slipway.report=print", []string{"slipway: report: ", "^a", "^b"}},
		{boot{Append: "x", Until: "^c"}, "quiet x", []string{"^c"}},
		{boot{}, "quiet", nil},
	} {
		if words, lines := e.options(c.boot), c.boot.lines(); words != c.words || !slices.Equal(lines, c.lines) {
			t.Errorf("%+v: %q, %q", c.boot, words, lines)
		}
	}
	e.CPUs, e.Arch, e.Formats = 1, "amd64", []string{"kernel+initrd"}
	if words := e.options(boot{}); words != "loglevel=5 quiet" {
		t.Errorf("with one processor: %q", words)
	}
	for _, b := range []boot{{Await: []string{"("}}, {Await: []string{"a"}, Report: "none"}, {Await: []string{"a"}, Until: "b"}} {
		if err := b.check(); err == nil {
			t.Errorf("%+v is taken", b)
		}
	}
}

// The heaviest case is the last one that is made known, so that it begins first.
func TestHeaviestBeginFirst(t *testing.T) {
	last := 0
	for _, c := range allCases(t) {
		if c.wrong == nil && c.want.Weight < max(last, 1) {
			t.Errorf("%s weighs %d, behind one of %d", c.name, c.want.Weight, last)
		}
		last = c.want.Weight
	}
}

// Only a kernel that began, ran nothing and then stood still is booted again.
func TestNeverRan(t *testing.T) {
	const kernel, ran = "[    0.000000] Linux version 6.1.0\n", "[    1.6] Run /init as init process\n"
	for _, c := range []struct {
		ending  qemu.Ending
		console string
		want    bool
	}{
		{qemu.Hung, kernel, true},
		{qemu.TimedOut, kernel, true},
		{qemu.Hung, kernel + ran, false},
		{qemu.Panicked, kernel, false},
		{qemu.PoweredOff, kernel, false},
		{qemu.Hung, "", false},
	} {
		if got := neverRan(qemu.Result{Ending: c.ending}, []byte(c.console)); got != c.want {
			t.Errorf("%s after %q: %t", c.ending, c.console, got)
		}
	}
}
