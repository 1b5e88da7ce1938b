package boot

import (
	"time"

	"slipway/pkg/machine"
)

// scriptLimit is what a script of /etc/shutdown.d that is not ours may take: as
// long as an onshutdown container that says nothing.
const scriptLimit = 60 * time.Second

// scriptsPolicy is how long what lies in /etc/shutdown.d may take, as far as it
// has come.
func (m *Machine) scriptsPolicy() time.Duration {
	return readLimit("onshutdown") + time.Duration(m.foreign.Load())*scriptLimit
}

func (m *Machine) servicesPolicy() time.Duration { return readLimit("services") }

// readLimit is what the containers of a section may take by their policies: PID 1
// only has to end what does not keep them.
func readLimit(section string) time.Duration { return machine.ReadLimit(machine.Run, section) }
