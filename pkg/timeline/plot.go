package timeline

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Measures of the picture, in pixels.
const (
	plotEdge  = 20  // around everything
	plotScale = 820 // width of the time axis
	plotRight = 96  // for the times of what ends last
	plotTop   = 106 // first row
	plotRow   = 22
	plotBar   = 12
)

// colours of the steps, in the order of the legend: they differ in lightness,
// too, and read on white and on black.
var colours = []struct{ step, class, fill string }{
	{PhaseKernel, "kernel", "#7d8899"},
	{PhaseInit, "pid1", "#8373d8"},
	{StepPrepare, "prepare", "#e9b215"},
	{StepCreate, "create", "#e8743b"},
	{StepWire, "wire", "#c9619c"},
	{StepStart, "start", "#9c2f78"},
	{StepReady, "ready", "#2f9e6e"},
	{StepRun, "run", "#5aa9e6"},
	{"failed", "failed", "#d92d20"},
}

// Text has an outline of the background, which keeps it legible on a bar.
const plotStyle = `
.bg{fill:#fff}svg{font:12px ui-sans-serif,system-ui,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
text{fill:#1f2937}.dim{fill:#5f6b7a}.time{fill:#4b5563;stroke:#fff;stroke-width:3px;stroke-linejoin:round;paint-order:stroke}
.grid{stroke:#e3e7ec}.mark{stroke:#2f9e6e;stroke-dasharray:4 3}.on{fill:#23815a}.band{fill:#f5f7f9}
.span{fill:#c3cad4}.wait{stroke:#98a2b0;stroke-dasharray:1 4;stroke-linecap:round;stroke-width:2}
.h{font-size:18px;font-weight:600}.g{font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}.on,.mid{font-size:11px}
@media(prefers-color-scheme:dark){.bg{fill:#0f141a}text{fill:#e6e9ee}.dim{fill:#9aa5b4}.time{fill:#c3cad4;stroke:#0f141a}
.grid{stroke:#262e39}.band{fill:#161c24}.span{fill:#3a4453}.wait{stroke:#5b6777}.on{fill:#4cc38f}.mark{stroke:#4cc38f}}
`

// Plot draws the boot as an SVG that stands alone: a row for the kernel, one for
// PID 1 and for those of its steps that take long, and one for each container,
// from power-on until the last is ready. A pointer that rests on a bar shows what
// it is and what it took.
func Plot(w io.Writer, title string, spans []Span) error {
	p := newPicture(spans)
	height := p.bottom() + 76
	width := p.left + plotScale + plotRight
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	p.printf("<title>%s: %s %s after power-on%s</title>\n<style>%s", escape(title), p.word, human(p.ready), p.counts, plotStyle)
	for _, c := range colours {
		p.printf(".%s{fill:%s}", c.class, c.fill)
	}
	p.printf("</style>\n" + `<rect class="bg" width="100%%" height="100%%" rx="6"/>` + "\n")
	p.heading(title)
	p.bands()
	p.axis()
	for _, r := range p.rows {
		p.row(r)
		p.y += plotRow
	}
	p.legend(p.bottom() + 46)
	p.printf("</svg>\n")
	_, err := io.WriteString(w, p.out.String())
	return err
}

type picture struct {
	out    strings.Builder
	rows   []row
	all    []PhaseTime
	ready  time.Duration
	word   string // how the boot went, and
	counts string
	end    time.Duration // right end of the axis
	left   int           // where the axis begins: behind the names
	y      int
}

func newPicture(spans []Span) *picture {
	p := &picture{y: plotTop, all: Analyze(spans)}
	for _, t := range p.all {
		if t.Phase != PhaseShutdown {
			p.ready = max(p.ready, t.End)
		}
	}
	p.word, p.counts = Outcome(spans)
	p.end = max(p.ready+p.ready/50, time.Millisecond)
	p.rows = makeRows(spans, p.all, p.ready)
	p.left = plotEdge + nameWidth(p.rows) + 16
	return p
}

func (p *picture) bottom() int { return plotTop + plotRow*len(p.rows) }

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.out, format, args...) }

func (p *picture) x(t time.Duration) float64 {
	t = min(max(t, 0), p.end)
	return float64(p.left) + plotScale*float64(t)/float64(p.end)
}

func (p *picture) heading(title string) {
	p.printf(`<text class="h" x="%d" y="36">%s</text>`+"\n", plotEdge, escape(clip(title, 60)))
	var parts []string
	for _, t := range p.all {
		if t.Phase != PhaseShutdown {
			parts = append(parts, t.Phase+" "+human(t.End-t.Begin))
		}
	}
	p.printf(`<text class="dim" x="%d" y="58">%s %s after power-on%s: %s</text>`+"\n", plotEdge, p.word, human(p.ready), p.counts, strings.Join(parts, ", "))
}

// bands are behind every other row, to lead the eye from name to bar.
func (p *picture) bands() {
	for i := 0; i < len(p.rows); i += 2 {
		p.printf(`<rect class="band" x="%d" y="%d" width="%d" height="%d" rx="3"/>`+"\n",
			plotEdge-8, plotTop+i*plotRow, p.left+plotScale+plotRight-2*plotEdge+16, plotRow)
	}
}

// axis draws about ten lines at round times, with the times above and below, and
// marks the end.
func (p *picture) axis() {
	bottom := p.bottom()
	step := roundStep(p.end / 10)
	for t := time.Duration(0); t <= p.end; t += step {
		p.printf(`<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, p.x(t), plotTop-4, p.x(t), bottom+4)
		if p.x(p.ready)-p.x(t) > 64 {
			p.printf(`<text class="dim mid" x="%.1f" y="%d">%s</text>`, p.x(t), plotTop-10, tick(t, step))
		}
		p.printf(`<text class="dim mid" x="%.1f" y="%d">%s</text>`+"\n", p.x(t), bottom+17, tick(t, step))
	}
	p.printf(`<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, p.x(p.ready), plotTop-4, p.x(p.ready), bottom+4)
	p.printf(`<text class="on mid" x="%.1f" y="%d">%s %s</text>`+"\n", p.x(p.ready), plotTop-10, p.word, human(p.ready))
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

func (p *picture) legend(y int) {
	x := float64(p.left)
	for _, c := range colours {
		p.printf(`<rect class="%s" rx="2" x="%.0f" y="%d" width="12" height="12"/><text class="dim" x="%.0f" y="%d">%s</text>`+"\n",
			c.class, x, y-10, x+17, y, c.step)
		x += 17 + textWidth(c.step) + 20
	}
	p.printf(`<line class="wait" x1="%.0f" y1="%d" x2="%.0f" y2="%d"/><text class="dim" x="%.0f" y="%d">waits</text>`+"\n",
		x, y-4, x+16, y-4, x+22, y)
}
