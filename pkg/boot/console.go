package boot

import (
	"fmt"
	"os"
	"path"
	"time"

	"slipway/pkg/escape"
	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
	"slipway/pkg/machine"
)

// Console is where PID 1 speaks: on every console, and in the journal.
type Console struct {
	*console.Console
	// Journal gets the lines of Printf too; nil: nobody does.
	Journal *journal.Journal
}

// attach opens the devices below /dev. A console of another machine, which is
// not there, is nothing to tell.
func (c *Console) attach(names []string) { _ = c.Attach("/dev", names, "console") }

// Printf writes one line, with the prefix that all our lines have, whatever text
// of others is in it.
func (c *Console) Printf(format string, args ...any) {
	text := escape.Line(fmt.Sprintf(format, args...))
	c.Journal.Add(time.Now(), text)
	if _, err := os.Lstat(path.Join(machine.Run, machine.Quiet)); err == nil {
		return
	}
	c.show("slipway: " + text + "\r\n")
}

// show writes text as it is. A Console takes everything and never fails.
func (c *Console) show(text string) {
	_, _ = c.Write([]byte(text))
}
