package guest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"slipway/pkg/machine"
	"slipway/pkg/port"
)

const (
	portSend     = 2 * time.Second // how long a host that does not read is waited for
	consoleDrain = 2 * time.Second // how long a console that takes nothing is waited for
)

// OpenPort opens the port to the host of this virtual machine, unless PID 1 or
// the keeper has handed it on. A machine without one is as good.
func (g *Guest) OpenPort() {
	if g.Port != nil {
		return
	}
	p, err := port.Await("/sys", g.Paths.Dev)
	if err != nil {
		if !errors.Is(err, port.ErrNone) {
			g.Say("%s", err)
		}
		return
	}
	g.Port = p
}

// Listen says hello to the host, in the name of one of our programs, and calls
// then with all that it wants, each time it says so. It does not wait for that.
func (g *Guest) Listen(from string, then func(port.Request)) {
	if g.Port == nil {
		return
	}
	// Before anything else: until then the console is the kernel's alone.
	g.Tell(port.Message{Hello: &port.Hello{From: from, Pvpanic: port.HasPvpanic("/sys")}})
	go func() {
		for {
			m, err := g.Port.Receive()
			switch {
			case errors.Is(err, fs.ErrClosed), errors.Is(err, io.EOF):
				return
			case err != nil:
				g.Say("hear the host: %s", err)
				return
			case m.Ping != 0:
				g.Tell(port.Message{Pong: m.Ping})
			case m.Request != nil:
				g.request.Store(m.Request)
				g.noteRequest(m.Request)
				g.resize(m.Request.Window)
				then(*m.Request)
			}
		}
	}()
}

// noteRequest keeps what those of our programs want to know that do not listen.
func (g *Guest) noteRequest(w *port.Request) {
	if w.Output == 0 || w.Output == g.WantsOutput() {
		return
	}
	if err := machine.WriteFile(g.Paths.RunDir(machine.OutputFile), []byte(strconv.FormatInt(w.Output, 10)+"\n")); err != nil {
		g.Say("hear the host: %s", err)
	}
}

// Tell says something to the host, which may take its time to read it. It is false when that has not
// got it.
func (g *Guest) Tell(m port.Message) bool {
	err := g.Port.Send(m, portSend)
	if err != nil && !errors.Is(err, fs.ErrClosed) {
		g.Say("tell the host: %s", err)
	}
	return err == nil
}

// AwaitConsoles waits until what was printed is on the wire: the host may end the
// machine at what it is told next. Consoles that are stuck are not waited for.
func (g *Guest) AwaitConsoles() { g.Terminal.Drain(consoleDrain) }

// TellTimeline hands the timeline of this boot to the host. It is false when that has not got it.
func (g *Guest) TellTimeline() bool {
	data, err := os.ReadFile(g.Paths.RunDir(machine.Timeline))
	if err != nil {
		g.Say("tell the host: %s", err)
		return false
	}
	// What follows the last newline is being written.
	return g.Tell(port.Message{Timeline: data[:bytes.LastIndexByte(data, '\n')+1]})
}

// Requested is what the host asks of this machine.
func (g *Guest) Requested() port.Request {
	if w := g.request.Load(); w != nil {
		return *w
	}
	return port.Request{}
}

// WantsReport is what is to become of the report: "" for none. The host's request
// is for one that ends the machine.
func (g *Guest) WantsReport() string {
	if g.Requested().Report {
		return ReportPoweroff
	}
	return g.Options.Report
}
