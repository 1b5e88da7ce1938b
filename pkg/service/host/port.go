package host

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
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
func (h *Host) OpenPort() {
	if h.Port != nil {
		return
	}
	p, err := port.Await("/sys", h.Paths.Dev)
	if err != nil {
		if !errors.Is(err, port.ErrNone) {
			h.Say("%s", err)
		}
		return
	}
	h.Port = p
}

// Listen says hello to the host, in the name of one of our programs, and calls
// then with all that it wants, each time it says so. It does not wait for that.
func (h *Host) Listen(from string, then func(port.Wishes)) {
	if h.Port == nil {
		return
	}
	// Before anything else: until then the console is the kernel's alone.
	h.Tell(port.Message{Hello: &port.Hello{From: from, Pvpanic: port.HasPvpanic("/sys")}})
	go func() {
		for {
			m, err := h.Port.Receive()
			switch {
			case errors.Is(err, fs.ErrClosed), errors.Is(err, io.EOF):
				return
			case err != nil:
				h.Say("hear the host: %s", err)
				return
			case m.Ping != 0:
				h.Tell(port.Message{Pong: m.Ping})
			case m.Wishes != nil:
				h.wishes.Store(m.Wishes)
				then(*m.Wishes)
			}
		}
	}()
}

// Tell says something to the host, which may take its time to read it.
func (h *Host) Tell(m port.Message) {
	if err := h.Port.Send(m, portSend); err != nil && !errors.Is(err, fs.ErrClosed) {
		h.Say("tell the host: %s", err)
	}
}

// AwaitConsoles waits until what was printed is on the wire: the host may end the
// machine at what it is told next. Consoles that are stuck are not waited for.
func (h *Host) AwaitConsoles() { h.Terminal.Drain(consoleDrain) }

// TellTimeline hands the timeline of this boot to the host.
func (h *Host) TellTimeline() {
	data, err := os.ReadFile(h.Paths.Own(machine.Timeline))
	if err != nil {
		h.Say("tell the host: %s", err)
		return
	}
	// What follows the last newline is being written.
	h.Tell(port.Message{Timeline: data[:bytes.LastIndexByte(data, '\n')+1]})
}

// Wishes are what the host wants of this machine.
func (h *Host) Wishes() port.Wishes {
	if w := h.wishes.Load(); w != nil {
		return *w
	}
	return port.Wishes{}
}

// WantsReport is what is to become of the report: "" for none. The host's wish
// is for one that ends the machine.
func (h *Host) WantsReport() string {
	if h.Wishes().Report {
		return ReportPoweroff
	}
	return h.Options.Report
}
