package device

import (
	"errors"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// hotplug sleeps until the kernel has an event.
func (m *Manager) hotplug(events int) {
	for {
		fds := []unix.PollFd{{Fd: int32(events), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil {
			if !errors.Is(err, unix.EINTR) {
				m.Warn("wait for device events", err)
				return
			}
			continue
		}
		list, err := receive(events)
		m.Warn("receive events", err)
		if m.handle(list) {
			m.forget()
			// The lists are most of what this process ever allocates.
			debug.FreeOSMemory()
		}
	}
}

// handle deals with a batch of events and says whether any asked for a module.
func (m *Manager) handle(list []Uevent) bool {
	var aliases []string
	disks, inputs := false, false
	for _, e := range list {
		if e.Action == "add" {
			aliases = append(aliases, e.Values["MODALIAS"])
			inputs = inputs || e.Values["SUBSYSTEM"] == "input"
		}
		disks = disks || e.Values["SUBSYSTEM"] == "block"
	}
	before := len(m.seen)
	m.Warn("load modules", m.load(aliases))
	if inputs {
		m.scanButtons("/sys/class/input", "/dev/input")
	}
	if disks && m.isSettled() {
		m.linkDisks("/sys/class/block", "/dev")
	}
	return len(m.seen) != before
}

// isSettled says whether coldplug is over; it links all disks at its end.
func (m *Manager) isSettled() bool {
	select {
	case <-m.settled:
		return true
	default:
		return false
	}
}
