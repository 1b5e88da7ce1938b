package control

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway/pkg/container/memory"
	"slipway/pkg/service/state"
)

// Width is that of a terminal of which nothing is known.
const Width = 80

// columns of the services' table behind the name, which gets the rest.
const columns = " %-8s %6s %7s %5s %4s %-12s %5s %5s"

// Table shows all containers in lines of at most width columns (0: Width), and
// below them why those that are not well are not.
func Table(l List, width int) string {
	t := &table{width: max(width, Width)}
	if l.LastBoot != "" {
		t.paragraph("The last boot ended: " + l.LastBoot)
	}
	if l.Memory != nil && l.Memory.Short != "" {
		t.paragraph("Memory is short: " + l.Memory.Short)
	}
	t.steps(l.Steps)
	t.services(l.Services)
	return t.String()
}

type table struct {
	strings.Builder
	width int
	notes []string
}

func (t *table) line(text string) { t.WriteString(strings.TrimRight(text, " ") + "\n") }

func (t *table) steps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	const fixed = " %-8s %6s  "
	rest := t.width - utf8.RuneCountInString(fmt.Sprintf(fixed, "", ""))
	name := rest * 2 / 5
	row := func(v ...string) {
		t.line(fit(v[0], name) + fmt.Sprintf(fixed, v[1], v[2]) + cut(v[3], rest-name))
	}
	row("STEP", "STATE", "TOOK", "RESULT")
	for _, s := range steps {
		row(s.Name, s.State, Duration(s.Took), s.Result)
		if utf8.RuneCountInString(plain(s.Result)) > rest-name {
			t.notes = append(t.notes, s.Name+": "+s.Result)
		}
	}
	t.explain()
}

func (t *table) services(services []Service) {
	if len(services) == 0 {
		return
	}
	head := []any{"STATE", "READY", "PID", "UP", "RST", "LAST EXIT", "MEM", "CPU"}
	name := t.width - utf8.RuneCountInString(fmt.Sprintf(columns, "", "", "", "", "", "", "", ""))
	t.line(fit("SERVICE", name) + fmt.Sprintf(columns, head...))
	for _, s := range services {
		t.line(fit(s.Name, name) + fmt.Sprintf(columns, cells(s)...))
		if why := trouble(s); why != "" {
			t.notes = append(t.notes, s.Name+": "+why)
		}
	}
	t.explain()
}

func cells(s Service) []any {
	ready, pid, up, mem, cpu := "-", "-", "-", "-", "-"
	if s.Pid != 0 {
		pid, ready = fmt.Sprint(s.Pid), "no"
		up = Duration(seconds(s.Uptime))
		mem, cpu = memory.Size(s.Memory), Duration(seconds(s.CPU))
	}
	if s.State == state.Ready {
		ready = "yes" // without a probe it was ready when it ran
		if s.Ready > 0 {
			ready = Duration(seconds(s.Ready))
		}
	}
	return []any{string(s.State), ready, pid, up, count(s.Restarts), cut(LastExit(s), 12), mem, cpu}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// LastExit says in a word or two how the last run ended.
func LastExit(s Service) string {
	e := s.LastExit
	switch {
	case e == nil:
		return "-"
	case e.OOM:
		return "OOM"
	case e.Signal != "":
		return e.Signal
	case e.Cause != "" && e.Code == 0 && !strings.HasPrefix(e.Cause, "exit status"):
		return e.Cause
	}
	return fmt.Sprintf("exit %d", e.Code)
}

// trouble is why a service is not what it is meant to be, or "".
func trouble(s Service) string {
	switch s.State {
	case state.Failed, state.Backoff:
		return s.Cause
	case state.Starting:
		if s.Hangs != "" {
			return "its start hangs: " + s.Hangs
		}
	case state.Waiting:
		if s.WaitsFor != "" {
			return "waits for " + s.WaitsFor
		}
	}
	return ""
}

// explain writes the notes that have gathered, each as a paragraph.
func (t *table) explain() {
	for _, n := range t.notes {
		t.paragraph(n)
	}
	t.notes = nil
}

// paragraph breaks a text into lines, of which all but the first are indented.
func (t *table) paragraph(text string) {
	line, indent := "", ""
	for word := range strings.FieldsSeq(plain(text)) {
		for line != indent && utf8.RuneCountInString(line+" "+word) > t.width {
			t.line(line)
			line, indent = "    ", "    "
		}
		if line != indent {
			line += " "
		}
		line += word
		for r := []rune(line); len(r) > t.width; r = []rune(line) { // a word longer than a line
			t.line(string(r[:t.width]))
			line, indent = "    "+string(r[t.width:]), "    "
		}
	}
	t.line(line)
}

// plain is a text of one line without what a terminal would act upon.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text)
}

func cut(text string, width int) string {
	r := []rune(plain(text))
	if len(r) <= width {
		return string(r)
	}
	return string(r[:width-1]) + "…"
}

func fit(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

// count is a number in at most four characters.
func count(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 1_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", min(n/1_000_000, 999))
}
