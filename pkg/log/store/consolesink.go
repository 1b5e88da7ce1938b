package store

import (
	"errors"

	"slipway/pkg/log/console"
)

// consoleMax bounds a piece of a line so that it fits into one Feed with the
// container's name in front, even if every byte becomes four.
const consoleMax = 900

// consoleSink shows the lines of one stream, each with the container's name in
// front. How far it has come outlives the process.
type consoleSink struct {
	console *console.Console
	prefix  []byte
	split   splitter
	shown   *console.Position
	batch   []byte // whole lines
	upto    int64  // where they end in the stream
	stuck   bool
	err     error
}

// newConsoleSink goes on where an earlier process was killed, as a file says. Of
// the stream, [begin, end) is there; what is to be written first is from on.
func newConsoleSink(c *console.Console, name, file string, begin, end int64) (k *consoleSink, from int64, err error) {
	p, from, err := console.OpenPosition(file, end)
	if err != nil {
		return nil, 0, err
	}
	if from = min(from, end); from < begin {
		c.Drop(begin - from)
		from = begin
	}
	k = &consoleSink{console: c, prefix: Escape(nil, []byte(name+": ")), shown: p}
	k.split = splitter{max: consoleMax, end: from}
	return k, from, nil
}

func (k *consoleSink) String() string { return "console" }

func (k *consoleSink) write(data []byte, _ int64) {
	k.split.write(data, k.line)
	k.feed()
	k.stuck = k.stuck && k.console.Crowded()
}

func (k *consoleSink) line(text []byte, _ bool) {
	before := len(k.batch)
	k.batch = append(Escape(append(k.batch, k.prefix...), text), '\n')
	if len(k.batch) > console.MaxFeed {
		line := k.batch[before:]
		k.batch = k.batch[:before]
		k.feed()
		k.batch = append(k.batch[:0], line...)
	}
	k.upto = k.split.end
}

// feed shows the lines that are there.
func (k *consoleSink) feed() {
	if len(k.batch) > 0 {
		k.err = k.console.Feed(k.batch, k.shown, k.upto)
		k.batch = k.batch[:0]
	}
}

func (k *consoleSink) pending() bool  { return !k.stuck && k.console.Crowded() }
func (k *consoleSink) giveUp()        { k.stuck = k.pending() }
func (k *consoleSink) dropped() int64 { return 0 } // The Console counts what it drops, and says it.

func (k *consoleSink) close() error {
	k.split.finish(k.line)
	k.feed()
	k.batch = nil
	return errors.Join(k.err, k.shown.Close())
}
