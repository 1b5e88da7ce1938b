package cli

import (
	"errors"
	"flag"
	"io"
	"os"

	"slipway/pkg/timeline"
)

func analyzeFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.StringVar(&o.output, "o", "", "write to `file`")
}

// view is one way to see the timeline: for people, and as data.
type view struct {
	text func(io.Writer, []timeline.Span) error
	data func([]timeline.Span) any
}

var views = map[string]view{
	"analyze":        {timeline.WriteAnalyze, func(s []timeline.Span) any { return timeline.Analyze(s) }},
	"blame":          {timeline.WriteBlame, func(s []timeline.Span) any { return timeline.Blame(s) }},
	"critical-chain": {timeline.WriteCriticalChain, func(s []timeline.Span) any { return timeline.CriticalChain(s) }},
	"plot":           {plot, func(s []timeline.Span) any { return s }},
}

func plot(w io.Writer, spans []timeline.Span) error {
	name, err := os.Hostname()
	if err != nil {
		name = "boot"
	}
	return timeline.Plot(w, name, spans)
}

func runView(c *call) (err error) {
	spans, err := timeline.ReadFile(c.paths.Own("timeline.jsonl"))
	if err != nil {
		return err
	}
	if c.output != "" {
		f, err := os.Create(c.output)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		c.out = f
	}
	v := views[c.command]
	if c.json {
		return writeJSON(c, v.data(spans))
	}
	return v.text(c.out, spans)
}
