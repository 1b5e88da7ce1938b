// Package guest is what all parts of the service program know of the machine that they
// run on and do to it: where things lie, what the kernel's command line asks for, how
// to tell people and the host something, and how a boot ends. Containers are no part
// of it.
package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"slipway/pkg/escape"
	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/timeline"
)

// Guest is the machine.
type Guest struct {
	Paths   Paths
	Options Options
	// Terminal is every console of the machine.
	Terminal *console.Console
	Timeline *timeline.Recorder
	// Journal keeps what is said.
	Journal *journal.Journal
	// Port leads to the host of a virtual machine; nil without one.
	Port    *port.Port
	request atomic.Pointer[port.Request]
	output  sync.Mutex // held by who hands files out
}

// Open reads the command line and opens consoles and timeline. What of it
// fails is told on what is there: a machine without a console boots as well.
func Open(p Paths) (*Guest, error) {
	g := &Guest{Paths: p, Terminal: console.New(), Port: port.Inherited()}
	if err := os.MkdirAll(p.RunDir(), 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", p.RunDir(), err)
	}
	g.Timeline = timeline.Open(p.RunDir(machine.Timeline))
	g.Journal = &journal.Journal{}
	journalErr := g.Journal.Open(p.Journal())
	cmdline, err := os.ReadFile(p.Cmdline)
	g.Options = ParseOptions(string(cmdline))
	return g, errors.Join(err, journalErr, g.openTerminal(string(cmdline)))
}

// openTerminal takes the machine's consoles if standard output is one, else
// standard output: somebody ran the program by hand.
func (g *Guest) openTerminal(cmdline string) error {
	if !onConsole(g.Paths.Dev) {
		return g.Terminal.AttachFile(os.Stdout)
	}
	return g.Terminal.Attach(g.Paths.Dev, console.Names(cmdline), "console")
}

// onConsole tells whether standard output is /dev/console, by whatever name, or
// nowhere, as a daemon's is.
func onConsole(dev string) bool {
	out, err := os.Stdout.Stat()
	if err != nil {
		return true
	}
	for _, name := range []string{"console", "null"} {
		info, err := os.Stat(filepath.Join(dev, name))
		if err == nil && os.SameFile(out, info) {
			return true
		}
	}
	// PID 1 has its console open by the name of the device behind it.
	ours, err := os.Readlink("/proc/self/fd/1")
	theirs, err2 := os.Readlink("/proc/1/fd/1")
	return err == nil && err2 == nil && ours == theirs && strings.HasPrefix(ours, dev+"/")
}

// Say writes one line on every console and into the journal, whatever text of
// images and containers is in it. It never waits.
func (g *Guest) Say(format string, args ...any) {
	if g.Quiet() {
		g.Journal.Add(time.Now(), escape.Line(fmt.Sprintf(format, args...)))
		return
	}
	g.Answer(format, args...)
}

// Answer is Say for what somebody has asked for, quiet or not.
func (g *Guest) Answer(format string, args ...any) {
	text := escape.Line(fmt.Sprintf(format, args...))
	g.Journal.Add(time.Now(), text)
	g.Print("slipway: " + text + "\n")
}

// Quiet tells whether the consoles are somebody's who types there.
func (g *Guest) Quiet() bool {
	_, err := os.Lstat(g.Paths.RunDir(machine.Quiet))
	return err == nil
}

// Print writes text as it is. A Console takes everything and never fails.
func (g *Guest) Print(text string) {
	_, _ = g.Terminal.Write([]byte(text))
}

// flushStall is how long a console may take nothing before it is given up.
const flushStall = time.Second

// Close waits for slow consoles and closes what is open.
func (g *Guest) Close() error {
	g.Terminal.Flush(flushStall)
	return errors.Join(g.Terminal.Close(), g.Timeline.Close(), g.Journal.Close(), g.Port.Close())
}
