package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/read"
)

func logsFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.BoolVar(&o.follow, "f", false, "wait for more")
	f.BoolVar(&o.previous, "previous", false, "of the run before the last start; without a name, of the boot before")
	f.StringVar(&o.since, "since", "", "no lines before a `time`, such as 10m or 2026-11-24T10:00:00Z")
	f.IntVar(&o.tail, "n", 0, "only the last `lines`")
}

// logLine is the JSON of a line.
type logLine struct {
	Time   time.Time `json:"time,omitzero"`
	Stream string    `json:"stream,omitempty"`
	Line   string    `json:"line"`
	Part   bool      `json:"part,omitempty"`
	Lost   int64     `json:"lost_bytes,omitempty"`
	Hole   int64     `json:"hole_bytes,omitempty"` // left by a power cut
}

func runLogs(c *call) error {
	if c.tail < 0 {
		return usageError{"logs: -n wants a number of lines"}
	}
	since, err := parseSince(c.since, time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer cancel()
	if len(c.args) == 0 {
		return c.showJournal(ctx, since)
	}
	name, err := c.onlyName()
	if err != nil {
		return err
	}
	section, directory, err := locate(c, name)
	if err != nil {
		return err
	}
	q := read.Query{Follow: c.follow, Tail: c.tail, Since: since}
	if c.previous {
		q.Runs = read.PreviousRun
	}
	var fault error
	for line, err := range read.Read(ctx, c.paths.Logs(), section, directory, q) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fault = errors.Join(fault, err) // what memory has comes all the same
			continue
		}
		if err := c.showLine(line); err != nil {
			return err
		}
		c.shown = true
	}
	if fault == nil && !c.shown && ctx.Err() == nil {
		c.nothing("no output of " + name)
	}
	return fault
}

func (c *call) showLine(l read.Line) error {
	if c.json {
		j := logLine{Time: l.Time, Stream: l.Stream.String(), Line: string(l.Text), Part: l.Part, Lost: l.Lost}
		if l.Hole {
			j.Lost, j.Hole = 0, l.Lost
		}
		return json.NewEncoder(c.out).Encode(j)
	}
	text := l.Show()
	stamp := "-"
	if !l.Time.IsZero() {
		stamp = when(l.Time)
	}
	_, err := fmt.Fprintf(c.out, "%s %s %s\n", stamp, l.Stream, text)
	return err
}

// parseSince reads a duration back from now, or a time.
func parseSince(v string, now time.Time) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(v); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, v, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Sprintf("-since %q is neither a duration nor a time", v)}
}

// locate finds the bundle that a name stands for.
func locate(c *call, name string) (bundle.Section, string, error) {
	section, directory, names, err := c.paths.Find(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", unknownName(name, names)
	}
	return section, directory, err
}
