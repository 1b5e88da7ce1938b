package boot

import (
	"errors"
	"os"
	"time"

	"slipway/pkg/machine"
	"slipway/pkg/port"
)

// How long PID 1 waits for a host that does not read: QEMU may take a moment to say
// that it does.
const (
	portHello = 2 * time.Second
	portEnd   = 200 * time.Millisecond
)

// openPort takes hold of the port to the host before any container is there, and
// never lets go of it: nobody else can open it then. Those of our programs that
// speak there get a copy. PID 1 itself says when the machine comes up and goes
// down, and reads nothing.
func (m *Machine) openPort() error {
	p, err := port.Await("/sys", "/dev")
	if errors.Is(err, port.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	m.port = p
	err = p.Send(port.Message{Hello: &port.Hello{From: port.Init, Pvpanic: port.HasPvpanic("/sys")}}, portHello)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // nobody is there
	}
	return err
}

// tellEnd tells the host that the machine goes down, and whether the kernel has
// killed anything when memory ran out.
func (m *Machine) tellEnd(verb machine.Verb) {
	if m.port != nil {
		m.warn("tell the host", m.port.Send(port.Message{End: &port.End{Verb: string(verb), OOM: port.OOM()}}, portEnd))
	}
}
