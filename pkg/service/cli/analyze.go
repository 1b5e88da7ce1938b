package cli

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
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

// view finds which view is meant: each is a command, and a word behind analyze.
func (c *call) view() (view, error) {
	name := c.command
	if name == "analyze" && len(c.args) == 1 {
		name = c.args[0]
	} else if len(c.args) > 0 {
		return view{}, usageError{"analyze takes one view"}
	}
	v, known := views[name]
	if known {
		return v, nil
	}
	if near := bundle.Nearest(name, subviews()); near != "" {
		return view{}, usageError{fmt.Sprintf("analyze has no view %q; did you mean %q?", name, near)}
	}
	return view{}, usageError{fmt.Sprintf("analyze has no view %q; there are %s", name, strings.Join(subviews(), ", "))}
}

func runView(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	spans, err := timeline.ReadFile(c.paths.RunDir(machine.Timeline))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if c.json {
		err = encodeJSON(&text, v.data(spans))
	} else {
		err = v.text(&text, spans)
	}
	if err != nil {
		return err
	}
	if c.output != "" {
		if err := os.WriteFile(c.output, text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write timeline: %w", err)
		}
		return nil
	}
	_, err = c.out.Write(text.Bytes())
	return err
}
