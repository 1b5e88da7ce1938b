package read

import (
	"fmt"
	"time"

	"slipway/pkg/escape"
	"slipway/pkg/log/layout"
)

// Line is one line of output, without its newline.
type Line struct {
	Time   time.Time // when it was taken from the pipe; zero if not known
	Stream layout.Stream
	Text   []byte
	// Part is set on every piece but the last of a line longer than 16 KB.
	Part bool
	// Lost, if above zero, says that this is no line but a gap of that many
	// bytes that could not be kept.
	Lost int64
	// Hole is set on a gap that a power cut has left.
	Hole bool
}

// Show is the line as it can be shown on a terminal.
func (l Line) Show() string {
	switch {
	case l.Hole:
		return fmt.Sprintf("-- a hole of %d bytes, left by a power cut --", l.Lost)
	case l.Lost > 0:
		return fmt.Sprintf("-- %d bytes lost --", l.Lost)
	}
	return escape.Text(string(l.Text))
}

// maxLine is the longest piece of a line that Read yields.
const maxLine = 16 << 10
