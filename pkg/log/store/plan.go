package store

import (
	"slipway/pkg/bundle"
	"slipway/pkg/log/rotate"
)

// plan says where the output of a container goes.
type plan struct {
	at      places
	max     int64
	keep    int
	direct  bool // a file as it is, or /dev/null: nothing passes through us
	carried bool // files have it all
	memlogd bool
	console bool
	kmsg    bool
}

// planFor decides.
func planFor(b *bundle.Bundle, o Options) plan {
	p := plan{
		at:   o.Paths.section(b.Section, b.Name),
		max:  b.Policy.LogMaxSize,
		keep: b.Policy.LogMaxFiles, direct: o.Direct != nil,
	}
	switch b.Policy.Log {
	case bundle.LogNone:
		p.direct = true
	case bundle.LogConsole:
		p.console = true
	case bundle.LogKmsg:
		p.kmsg = true
	default:
		p.memlogd = rotate.Exists(o.Paths.Memlogd)
		p.carried = !p.memlogd
	}
	return p
}

// sink opens the further place that one stream goes to, if there is one.
func (p plan) sink(s *stream, o Options) (sink, error) {
	switch {
	case p.memlogd:
		return openSink(dialMemlogd(o.Paths.Memlogd, s.name()))
	case p.console && o.Console != nil:
		return p.consoleSink(s, o)
	case p.kmsg:
		return openSink(openKmsg(o.Paths.Kmsg, p.at.name, s.id))
	}
	return nil, nil
}

// consoleSink is shown first what an earlier process has not shown.
func (p plan) consoleSink(s *stream, o Options) (sink, error) {
	begin, end := s.spool.kept(s.id)
	k, from, err := newConsoleSink(o.Console, p.at.name, p.at.shown(s.id), begin, end)
	if err != nil {
		return nil, err
	}
	behind := &stream{id: s.id, spool: s.spool, sinks: []sink{k}}
	behind.feedFrom(from, end)
	return k, nil
}

// openSink makes a nil of a pointer one of the interface.
func openSink[K sink](k K, err error) (sink, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}
