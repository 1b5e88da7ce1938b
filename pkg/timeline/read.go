package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// ReadFile reads the timeline that Recorders wrote.
func ReadFile(path string) ([]Span, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	defer f.Close() // Only read from.
	return Read(f)
}

// Read gives the spans in the order they began. Lines that are none, such as
// the last one on a full /run, are passed over. What has no end yet, or never
// got one because its process was killed, ends with the timeline and is Open.
func Read(from io.Reader) ([]Span, error) {
	data, err := io.ReadAll(io.LimitReader(from, 2*maxFile))
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	var spans []Span
	open := map[string]int{}
	var last time.Duration
	for text := range bytes.Lines(data) {
		var l line
		if json.Unmarshal(text, &l) != nil || l.At < 0 || l.At > 1<<50 {
			continue
		}
		at := time.Duration(l.At) * time.Microsecond
		last = max(last, at)
		i, known := open[l.ID]
		switch {
		case l.End && known:
			spans[i].End, spans[i].Err, spans[i].Open = max(at, spans[i].Begin), l.Err, false
			delete(open, l.ID)
		case !l.End && l.Name != "":
			if l.ID != "" {
				open[l.ID] = len(spans)
			}
			spans = append(spans, Span{
				Name: l.Name, Phase: l.Phase, Container: l.Container, After: l.After,
				Begin: at, End: at, Err: l.Err, Open: l.ID != "", Event: l.ID == "",
			})
		}
	}
	for i := range spans {
		if spans[i].Open {
			spans[i].End = last
		}
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return int(a.Begin - b.Begin) })
	return spans, nil
}
