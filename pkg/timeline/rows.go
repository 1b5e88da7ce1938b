package timeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// row is a line of the picture: the head of a phase, or a unit below it.
type row struct {
	head  *PhaseTime
	unit  Unit          // its bars; of a head, all that the phase has in one row
	since time.Duration // from when on it could have begun, but for what it waits for
}

// Of PID 1's steps, those are shown that take a hundredth of the boot, and no
// more than shownSteps of them.
const (
	shownPart  = 100
	shownSteps = 8
)

func makeRows(spans []Span, phases []PhaseTime, ready time.Duration) []row {
	var rows []row
	units := Units(spans)
	for i := range phases {
		t := &phases[i]
		own := slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return u.Phase != t.Phase || len(u.Steps) == 0 })
		head := row{head: t, unit: Unit{Name: t.Phase, Phase: t.Phase, Begin: t.Begin, Ready: t.End}}
		switch t.Phase {
		case PhaseShutdown:
			continue
		case PhaseKernel:
			head.unit.Steps = []Span{{Name: PhaseKernel, Phase: PhaseKernel, End: t.End}}
		case PhaseInit:
			for _, u := range own {
				head.unit.Steps = append(head.unit.Steps, u.Steps...)
			}
			own = longest(own, ready/shownPart)
		}
		rows = append(rows, head)
		for _, u := range own {
			rows = append(rows, row{unit: u, since: t.Begin})
		}
	}
	return rows
}

// longest keeps the units that take at least d, in their order.
func longest(units []Unit, d time.Duration) []Unit {
	by := slices.Clone(units)
	slices.SortStableFunc(by, func(a, b Unit) int { return int(b.Took() - a.Took()) })
	if len(by) > shownSteps {
		d = max(d, by[shownSteps].Took()+1)
	}
	return slices.DeleteFunc(slices.Clone(units), func(u Unit) bool { return u.Took() < d })
}

// The names' column: no wider than maxName, whatever containers are called.
const (
	minName = 120
	maxName = 230
	indent  = 14
)

func nameWidth(rows []row) int {
	widest := float64(minName)
	for _, r := range rows {
		if r.head == nil {
			widest = max(widest, indent+textWidth(r.unit.Name))
		}
	}
	return min(int(widest)+1, maxName)
}

func (p *picture) row(r row) {
	base := p.y + 15
	if r.head != nil {
		p.printf(`<text class="g" x="%d" y="%d">%s</text>`, plotEdge, base, r.unit.Name)
		p.printf(`<text class="dim end" x="%d" y="%d">%s</text>`, p.left-16, base, human(r.unit.Took()))
		if r.head.Phase == PhaseOnboot || r.head.Phase == PhaseServices {
			p.printf(`<rect class="span" x="%.1f" y="%d" width="%.1f" height="4" rx="2"/>`+"\n",
				p.x(r.unit.Begin), p.y+plotRow/2-2, max(p.x(r.unit.Ready)-p.x(r.unit.Begin), 2))
			return
		}
	} else {
		p.printf(`<text class="dim" x="%d" y="%d">%s<title>%s</title></text>`, plotEdge+indent, base,
			escape(clipWidth(r.unit.Name, float64(p.left-16-plotEdge-indent))), escape(r.unit.Name))
	}
	p.waits(r)
	p.bars(r.unit)
	p.label(r, base)
}

// waits draws how long a container waited for what it comes after.
func (p *picture) waits(r row) {
	if len(r.unit.After) == 0 || p.x(r.unit.Begin)-p.x(r.since) < 6 {
		return
	}
	names := slices.Compact(slices.Sorted(slices.Values(r.unit.After)))
	y := p.y + plotRow/2
	p.printf(`<line class="wait" x1="%.1f" y1="%d" x2="%.1f" y2="%d"><title>%s comes after %s</title></line>`,
		p.x(r.since)+2, y, p.x(r.unit.Begin)-3, y, escape(r.unit.Name), escape(strings.Join(names, ", ")))
}

func (p *picture) bars(u Unit) {
	var started time.Duration
	for _, s := range u.Steps {
		if s.Name != StepRun {
			started = max(started, s.End)
		}
	}
	for _, last := range []bool{false, true} { // a service runs behind its other steps
		for _, s := range u.Steps {
			if last == !runs(s) {
				continue
			}
			if s.Name == StepRun && !runs(s) {
				s.Begin = min(max(s.Begin, started), s.End) // an onboot step's run has its start in it
			}
			p.bar(s)
		}
	}
}

// runs tells whether a span is a service that runs, which nobody waits for.
func runs(s Span) bool { return s.Phase == PhaseServices && s.Name == StepRun }

func (p *picture) bar(s Span) {
	note := fmt.Sprintf("%s: %s, from %s to %s", s.Label(), human(s.Took()), human(s.Begin), human(s.End))
	if s.Open {
		note = fmt.Sprintf("%s: since %s", s.Label(), human(s.Begin))
	}
	if s.Err != "" {
		note += ": " + s.Err
	}
	end, thin := s.End, ""
	if runs(s) && s.Err == "" {
		thin = ` opacity=".4"`
		if s.Open {
			end = p.end
		}
	}
	from, to := p.x(s.Begin), p.x(end)
	if to-from < 1.5 {
		to = from + 1.5
	}
	p.printf(`<rect class="%s" rx="1.5"%s x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect>`,
		class(s), thin, from, p.y+(plotRow-plotBar)/2, to-from, plotBar, escape(note))
}

func class(s Span) string {
	switch {
	case s.Err != "":
		return "failed"
	case s.Phase == PhaseKernel:
		return PhaseKernel
	}
	for _, c := range colours {
		if s.Container != "" && c.step == s.Name {
			return c.class
		}
	}
	return PhaseInit
}

// label writes right of a unit what kept others waiting; of the pale bar of a
// service that runs it covers a part. The picture has room for it beyond the
// axis, but for what can be left out.
func (p *picture) label(r row, base int) {
	u := r.unit
	text := human(u.Took())
	switch {
	case r.head != nil:
	case u.Failed:
		text += " failed"
	case u.Open:
		text += ", not ready"
	}
	at := max(p.x(u.Ready), p.x(u.Begin)+1.5) + 6
	if more := fmt.Sprintf("%s, %d steps", text, len(u.Steps)); r.head != nil && u.Phase == PhaseInit &&
		at+textWidth(more) < float64(p.left+plotScale) {
		text = more
	}
	p.printf(`<text class="time" x="%.1f" y="%d">%s</text>`+"\n", at, base, text)
}
