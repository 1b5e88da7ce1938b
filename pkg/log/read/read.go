// Package read gives the lines of a container's log, with time and stream: those
// in the files, then those that memory alone has. It needs no other process, and
// gives up a disk that does not answer.
package read

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
)

// Runs says of which runs of a container lines are wanted.
type Runs uint8

// The choices of runs.
const (
	AllRuns Runs = iota
	CurrentRun
	PreviousRun
)

// Query says which lines Read yields.
type Query struct {
	Runs   Runs
	Since  time.Time // no line that began before it
	Tail   int       // at most the last so many of those that are there; 0: all
	Follow bool      // then wait for more, until the context ends
}

// Read yields the lines of a container's log, oldest first, as they came from
// both of its streams: those in the files, then those that memory alone has. It
// needs no other process. directory is the bundle's name, such as "000-dhcp" or
// "sshd". If a disk does not answer, that is an error in the sequence, after
// which come the lines that memory has.
func Read(ctx context.Context, p layout.Paths, s bundle.Section, directory string, q Query) iter.Seq2[Line, error] {
	at := p.OrDefault().Section(s, directory)
	return func(yield func(Line, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		first := newReader(ctx, at, q)
		if first.deliver(yield) {
			return
		}
		if !yield(Line{}, fmt.Errorf("read log: the disk of %s does not answer; what follows is from memory", at.Dir)) {
			return
		}
		again := newReader(ctx, at, q)
		again.noDisk, again.after = true, first.reached()
		again.deliver(yield)
	}
}

// diskTimeout is how long a reader waits for a disk.
const diskTimeout = 2 * time.Second

// guard tells when something takes so long that a disk must hang.
type guard struct {
	timer *time.Timer
	late  chan struct{}
}

func newGuard() *guard {
	g := &guard{late: make(chan struct{}, 1)}
	g.timer = time.AfterFunc(time.Hour, func() {
		select {
		case g.late <- struct{}{}:
		default:
		}
	})
	g.End()
	return g
}

func (g *guard) Begin() { g.timer.Reset(diskTimeout) }
func (g *guard) End()   { g.timer.Stop() }

// item is what goes from the goroutine that reads to whoever asked.
type item struct {
	line Line
	err  error
}

// deliver has the log read beside the caller and passes its lines on. It is
// false if a disk does not answer.
func (r *reader) deliver(yield func(Line, error) bool) bool {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	r.ctx = ctx
	items := make(chan item)
	send := func(i item) bool {
		select {
		case items <- i:
			return true
		case <-ctx.Done():
			return false
		}
	}
	r.yield = func(l Line) bool { return send(item{line: l}) }
	go func() {
		defer close(items)
		defer r.src.close()
		if err := r.walk(); err != nil && !errors.Is(err, errDone) {
			send(item{err: err})
		}
	}()
	for {
		select {
		case i, more := <-items:
			if !more || !yield(i.line, i.err) {
				return true
			}
		case <-r.guard.late:
			return false
		case <-r.ctx.Done():
			return true
		}
	}
}
