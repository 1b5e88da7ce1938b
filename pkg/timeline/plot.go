package timeline

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
)

// Measures of the picture, in pixels.
const (
	plotLeft  = 190 // width of the names
	plotScale = 860 // width of the time axis
	plotRight = 90
	plotTop   = 86
	plotRow   = 20
	plotBar   = 13
)

// colours of the steps, in the order of the legend: they differ in lightness,
// too, and read on white and on black.
var colours = []struct{ step, class, fill string }{
	{PhaseKernel, "kernel", "#8b95a5"},
	{PhaseInit, "pid1", "#7c6fd0"},
	{StepPrepare, "prepare", "#e3a008"},
	{StepCreate, "create", "#e4703a"},
	{StepWire, "wire", "#c2558f"},
	{StepStart, "start", "#b83280"},
	{StepReady, "ready", "#2f9e6e"},
	{StepRun, "run", "#5aa9e6"},
	{"failed", "failed", "#d92d20"},
}

const plotStyle = `
svg{background:#fff;font:12px ui-sans-serif,system-ui,sans-serif}
text{fill:#1f2937}.dim{fill:#6b7280}.grid{stroke:#e5e7eb}.mark{stroke:#2f9e6e;stroke-dasharray:4 3}
.band{fill:#f6f7f9}.h{font-size:17px;font-weight:600}.g{font-weight:600}
@media(prefers-color-scheme:dark){svg{background:#12161c}text{fill:#e5e7eb}.dim{fill:#9ca3af}
.grid{stroke:#2a313c}.band{fill:#181d25}}
`

// Plot draws the boot as an SVG that stands alone: a row for the kernel, each
// step of PID 1 and each container, from power-on until the last one is ready.
// A pointer that rests on a bar shows what it is and what it took.
func Plot(w io.Writer, title string, spans []Span) error {
	p := newPicture(spans)
	height := plotTop + plotRow*p.rows() + 58
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">`+"\n",
		plotLeft+plotScale+plotRight, height, plotLeft+plotScale+plotRight, height)
	p.printf("<style>%s", plotStyle)
	for _, c := range colours {
		p.printf(".%s{fill:%s}", c.class, c.fill)
	}
	p.printf("</style>\n")
	p.heading(title)
	p.axis()
	p.groups()
	p.legend(height - 20)
	p.printf("</svg>\n")
	_, err := io.WriteString(w, p.out.String())
	return err
}

type picture struct {
	out   strings.Builder
	units []Unit
	end   time.Duration // right end of the axis
	ready time.Duration
	y     int
}

func newPicture(spans []Span) *picture {
	p := &picture{y: plotTop}
	if first := firstBegin(spans); first > 0 {
		k := Span{Name: PhaseKernel, Phase: PhaseKernel, End: first}
		p.units = append(p.units, Unit{Name: PhaseKernel, Phase: PhaseKernel, Ready: first, Steps: []Span{k}})
	}
	for _, phase := range phases[1:] {
		for _, u := range Units(spans) {
			if u.Phase == phase && u.Phase != PhaseShutdown && len(u.Steps) > 0 {
				p.units = append(p.units, u)
				p.ready = max(p.ready, u.Ready)
			}
		}
	}
	p.end = max(p.ready+p.ready/20, time.Millisecond)
	return p
}

func (p *picture) rows() int {
	n, phase := 0, ""
	for _, u := range p.units {
		if u.Phase != phase {
			n++
			phase = u.Phase
		}
		n++
	}
	return n
}

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

func (p *picture) x(t time.Duration) float64 {
	t = min(max(t, 0), p.end)
	return plotLeft + plotScale*float64(t)/float64(p.end)
}

func (p *picture) heading(title string) {
	p.printf(`<text class="h" x="16" y="30">%s</text>`+"\n", escape(clip(title, 80)))
	p.printf(`<text class="dim" x="16" y="50">ready %s after power-on</text>`+"\n", seconds(p.ready))
}

// escape makes text fit for XML, which has no place for control characters.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s))
}

// axis draws about ten lines at round times.
func (p *picture) axis() {
	bottom := plotTop + plotRow*p.rows()
	step := roundStep(p.end / 10)
	for t := time.Duration(0); t <= p.end; t += step {
		p.printf(`<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, p.x(t), plotTop-8, p.x(t), bottom)
		p.printf(`<text class="dim" text-anchor="middle" x="%.1f" y="%d">%s</text>`+"\n", p.x(t), plotTop-14, tick(t, step))
	}
	p.printf(`<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", p.x(p.ready), plotTop-8, p.x(p.ready), bottom)
}

// roundStep gives 1, 2 or 5 times a power of ten that is not below d.
func roundStep(d time.Duration) time.Duration {
	base := time.Duration(math.Pow(10, math.Floor(math.Log10(float64(max(d, 1000))))))
	for _, f := range []time.Duration{1, 2, 5, 10} {
		if base*f >= d {
			return base * f
		}
	}
	return base * 10
}

func tick(t, step time.Duration) string {
	if step >= time.Second {
		return fmt.Sprintf("%.0f s", t.Seconds())
	}
	if step >= 100*time.Millisecond {
		return fmt.Sprintf("%.1f s", t.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(t)/1e6)
}

func (p *picture) groups() {
	phase := ""
	for i, u := range p.units {
		if u.Phase != phase {
			phase = u.Phase
			p.printf(`<text class="g" x="16" y="%d">%s</text>`+"\n", p.y+15, phase)
			p.y += plotRow
		}
		if i%2 == 0 {
			p.printf(`<rect class="band" x="%d" y="%d" width="%d" height="%d"/>`, plotLeft, p.y, plotScale, plotRow)
		}
		p.unit(u)
		p.y += plotRow
	}
}

func (p *picture) unit(u Unit) {
	p.printf(`<text class="dim" x="28" y="%d">%s</text>`, p.y+14, escape(clip(u.Name, 24)))
	for _, last := range []bool{false, true} { // A service runs behind its other steps.
		for _, s := range u.Steps {
			if last == !(u.Phase == PhaseServices && s.Name == StepRun) {
				p.bar(s)
			}
		}
	}
	label := seconds(u.Took())
	if u.Failed {
		label += " failed"
	}
	p.printf(`<text class="dim" x="%.1f" y="%d">%s</text>`+"\n", p.labelAt(u), p.y+14, label)
}

// labelAt is right of what a unit's start took; the pale bar of a running
// service goes on behind it.
func (p *picture) labelAt(u Unit) float64 { return p.x(u.Ready) + 5 }

func (p *picture) bar(s Span) {
	end := s.End
	if s.Open || s.Phase == PhaseServices && s.Name == StepRun {
		end = min(max(end, s.Begin), p.end)
	}
	note := fmt.Sprintf("%s: %s, from %s to %s", s.Label(), seconds(s.Took()), seconds(s.Begin), seconds(s.End))
	if s.Open {
		note = fmt.Sprintf("%s: since %s", s.Label(), seconds(s.Begin))
	}
	if s.Err != "" {
		note += ": " + s.Err
	}
	thin := ""
	if s.Name == StepRun && s.Phase == PhaseServices {
		thin = ` opacity=".35"`
	}
	p.printf(`<rect class="%s" rx="2"%s x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect>`,
		class(s), thin, p.x(s.Begin), p.y+(plotRow-plotBar)/2, max(p.x(end)-p.x(s.Begin), 1.5), plotBar, escape(note))
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

func (p *picture) legend(y int) {
	x := plotLeft
	for _, c := range colours {
		p.printf(`<rect class="%s" rx="2" x="%d" y="%d" width="12" height="12"/><text x="%d" y="%d">%s</text>`+"\n",
			c.class, x, y-10, x+17, y, c.step)
		x += 34 + 8*len(c.step)
	}
}
