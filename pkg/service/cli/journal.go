package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"slipway/pkg/escape"
	"slipway/pkg/log/journal"
)

// showJournal shows what the machine's own programs said in this boot, or in
// the one before.
func (c *call) showJournal(ctx context.Context, since time.Time) error {
	carrier, err := c.paths.Carrier()
	if err != nil {
		return err
	}
	var lines iter.Seq2[journal.Line, error]
	switch {
	case c.previous && c.follow:
		return usageError{"logs: nothing comes any more from the boot before; leave -f away"}
	case c.previous:
		lines = carrier.Previous()
	case c.follow && c.tail == 0:
		lines = func(yield func(journal.Line, error) bool) { carrier.Follow(ctx, yield) }
	case c.follow:
		return usageError{"logs: without a name, -f and -n exclude each other"}
	default:
		lines = carrier.Read()
	}
	if c.tail > 0 {
		if lines, err = last(lines, c.tail); err != nil {
			return err
		}
	}
	var fault error
	for l, err := range lines {
		if err != nil {
			fault = errors.Join(fault, err) // what memory has comes all the same
			continue
		}
		if l.Time.Before(since) {
			continue
		}
		if err := c.showJournalLine(l); err != nil {
			return err
		}
	}
	return fault
}

func (c *call) showJournalLine(l journal.Line) error {
	if c.json {
		return json.NewEncoder(c.out).Encode(logLine{Time: l.Time, Line: l.Text})
	}
	stamp := "-"
	if !l.Time.IsZero() {
		stamp = l.Time.Local().Format("15:04:05.000")
	}
	_, err := fmt.Fprintf(c.out, "%s %s\n", stamp, escape.Text(l.Text))
	return err
}

// last gives the last n lines.
func last(lines iter.Seq2[journal.Line, error], n int) (iter.Seq2[journal.Line, error], error) {
	var kept []journal.Line
	for l, err := range lines {
		if err != nil {
			return nil, err
		}
		if len(kept) == n {
			kept = append(kept[:0], kept[1:]...)
		}
		kept = append(kept, l)
	}
	return func(yield func(journal.Line, error) bool) {
		for _, l := range kept {
			if !yield(l, nil) {
				return
			}
		}
	}, nil
}
