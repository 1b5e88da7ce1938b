package sequence

import (
	"context"
	"log/slog"
	"os"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/pkg/log/store"
)

func (q *Sequence) logOptions() store.Options {
	o := store.Options{
		Paths: q.Guest.Paths.Logs(), Console: q.Guest.Terminal,
		Log: slog.New(slog.DiscardHandler),
	}
	if q.Guest.Options.RuncConsole {
		o.Direct = os.Stdout
	}
	return o
}

// dumpChunk is written before the terminal is given time to take it: it keeps
// 64 KB for itself and drops what is more.
const (
	dumpChunk = 16 << 10
	dumpStall = 5 * time.Second
)

// dump shows what the container has written, its standard output first, as
// LinuxKit does. All of it is on the console before the next step begins. What the
// runtime says there of a start that has failed is left out: the end of the step
// tells it.
func (q *Sequence) dump(b *bundle.Bundle, startErr error) {
	if b.Policy.Log != bundle.LogFile || q.Guest.Options.RuncConsole {
		return
	}
	for _, s := range []layout.Stream{layout.Stdout, layout.Stderr} {
		q.dumpStream(b, s, startErr)
	}
	q.Guest.Terminal.Flush(dumpStall)
}

func (q *Sequence) dumpStream(b *bundle.Bundle, s layout.Stream, startErr error) {
	written := 0
	lines := read.Read(context.Background(), q.Guest.Paths.Logs(), q.Section, b.Name, read.Query{Runs: read.CurrentRun})
	for line, err := range lines {
		if err != nil {
			q.Guest.Say("%s %s: %s", q.Section, b.Name, err)
			return
		}
		text := line.Show()
		if line.Stream != s || runtime.Repeats(startErr, text) {
			continue
		}
		if !line.Part {
			text += "\n"
		}
		q.Guest.Print(text)
		if written += len(text); written > dumpChunk {
			written = 0
			q.Guest.Terminal.Flush(dumpStall)
		}
	}
}
