package logs

import (
	"slipway/pkg/bundle"
)

// memoryMax bounds what is kept in memory of a container whose output goes
// somewhere else: enough for `service logs` and for the report of a failure.
const memoryMax = 64 << 10

var streamsOf = []Stream{Stdout, Stderr}

// plan says where the output of a container goes.
type plan struct {
	at, fallback places
	max          int64
	keep         int
	indexLimit   int64
	direct       bool // a file as it is, or /dev/null: nothing passes through us
	memlogd      bool
	console      bool
	kmsg         bool
}

// planFor decides; memlogd tells whether its socket is there.
func planFor(b *bundle.Bundle, o Options, memlogd bool) plan {
	p := plan{
		at:       o.Paths.section(b.Section, b.Name),
		fallback: o.Paths.memory(b.Section, b.Name),
		max:      b.Policy.LogMaxSize,
		keep:     b.Policy.LogMaxFiles,
		direct:   o.Direct != nil,
	}
	switch b.Policy.Log {
	case bundle.LogNone:
		p.direct = true
	case bundle.LogConsole:
		p.console = true
	case bundle.LogKmsg:
		p.kmsg = true
	default:
		p.memlogd = memlogd
	}
	if p.memlogd || p.console || p.kmsg {
		p.at = p.fallback
		p.max, p.keep = min(p.max, memoryMax), min(p.keep, 1)
	}
	p.indexLimit = indexLimit(p.max, p.keep)
	return p
}

// sinks opens the further places for one stream. Those that can be had are
// there even with an error.
func (p plan) sinks(s Stream, o Options) ([]sink, error) {
	switch {
	case p.memlogd:
		k, err := dialMemlogd(o.Paths.Memlogd, p.at.base(s))
		if err != nil {
			return nil, err
		}
		return []sink{k}, nil
	case p.console && o.Console != nil:
		return []sink{newConsoleSink(p.at.name, o.Console)}, nil
	case p.kmsg:
		k, err := openKmsg(o.Paths.Kmsg, p.at.name, s)
		if err != nil {
			return nil, err
		}
		return []sink{k}, nil
	}
	return nil, nil
}
