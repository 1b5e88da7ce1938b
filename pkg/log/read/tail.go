package read

import (
	"context"
	"errors"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/spool"
)

// Tail gives the last n lines of a container's present or last run, oldest
// first, as far as memory has them, which waits for no disk.
func Tail(p layout.Paths, s bundle.Section, directory string, n int) ([]Line, error) {
	at := p.OrDefault().Section(s, directory)
	snap, err := spool.Take(at)
	if err != nil || snap == nil {
		return nil, err
	}
	var all []Line
	r := newReader(context.Background(), at, Query{Runs: CurrentRun, Tail: n})
	defer r.src.close()
	r.noDisk, r.hold = true, true
	r.yield = func(l Line) bool {
		all = append(all, l)
		return true
	}
	r.src.snap = snap
	r.choose(0)
	err = errors.Join(r.memory(), r.endLines(), r.release())
	return all, err
}
