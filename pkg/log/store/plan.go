package store

import (
	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
	"slipway/pkg/log/sink"
)

// plan says where the output of a container goes.
type plan struct {
	at      layout.Places
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
		at:   o.Paths.Section(b.Section, b.Name),
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
func (p plan) sink(s *stream, o Options) (sink.Sink, error) {
	switch {
	case p.memlogd:
		return openSink(sink.DialMemlogd(o.Paths.Memlogd, s.name()))
	case p.console && o.Console != nil:
		return p.consoleSink(s, o)
	case p.kmsg:
		return openSink(sink.OpenKmsg(o.Paths.Kmsg, p.at.Name, s.id))
	}
	return nil, nil
}

// consoleSink is shown first what an earlier process has not shown.
func (p plan) consoleSink(s *stream, o Options) (sink.Sink, error) {
	begin, end := s.spool.Kept()
	k, from, err := sink.NewConsole(o.Console, p.at.Name, p.at.Shown(s.id), begin, end)
	if err != nil {
		return nil, err
	}
	behind := &stream{spool: s.spool, sinks: []sink.Sink{k}}
	behind.feedFrom(from, end)
	return k, nil
}

// openSink makes a nil of a pointer one of the interface.
func openSink[K sink.Sink](k K, err error) (sink.Sink, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}
