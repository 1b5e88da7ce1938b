package sink

import (
	"errors"

	"slipway/pkg/escape"
	"slipway/pkg/log/console"
	"slipway/pkg/log/line"
)

// consoleMax bounds a piece of a line so that it fits into one Feed with the
// container's name in front, even if every byte becomes four.
const consoleMax = 900

// Console shows the lines of one stream, each with the container's name in
// front. How far it has come outlives the process.
type Console struct {
	console *console.Console
	prefix  []byte
	split   line.Splitter
	shown   *console.Position
	batch   []byte // whole lines
	upto    int64  // where they end in the stream
	stuck   bool
	err     error
}

// NewConsole goes on where an earlier process was killed, as a file says. Of
// the stream, [begin, end) is there; what is to be written first is from on.
func NewConsole(c *console.Console, name, file string, begin, end int64) (k *Console, from int64, err error) {
	p, from, err := console.OpenPosition(file, end)
	if err != nil {
		return nil, 0, err
	}
	if from = min(from, end); from < begin {
		c.Drop(begin - from)
		from = begin
	}
	k = &Console{console: c, prefix: escape.Append(nil, []byte(name+": ")), shown: p}
	k.split = line.Splitter{Max: consoleMax, End: from}
	return k, from, nil
}

func (k *Console) String() string { return "console" }

func (k *Console) Write(data []byte, _ int64) {
	k.split.Write(data, k.line)
	k.feed()
	k.stuck = k.stuck && k.console.Congested()
}

func (k *Console) line(text []byte, _ bool) {
	before := len(k.batch)
	k.batch = append(escape.Append(append(k.batch, k.prefix...), text), '\n')
	if len(k.batch) > console.MaxFeed {
		line := k.batch[before:]
		k.batch = k.batch[:before]
		k.feed()
		k.batch = append(k.batch[:0], line...)
	}
	k.upto = k.split.End
}

// feed shows the lines that are there.
func (k *Console) feed() {
	if len(k.batch) > 0 {
		k.err = k.console.Feed(k.batch, k.shown, k.upto)
		k.batch = k.batch[:0]
	}
}

func (k *Console) Pending() bool  { return !k.stuck && k.console.Congested() }
func (k *Console) GiveUp()        { k.stuck = k.Pending() }
func (k *Console) Dropped() int64 { return 0 } // The Console counts what it drops, and says it.

func (k *Console) Close() error {
	k.split.Finish(k.line)
	k.feed()
	k.batch = nil
	return errors.Join(k.err, k.shown.Close())
}
