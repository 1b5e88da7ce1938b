package boot

import (
	"slipway/pkg/boot/device"
	"slipway/pkg/boot/power"
)

// startDevices begins to find devices and to load their modules, beside the steps
// that follow.
func (m *Machine) startDevices() error {
	m.devices = &device.Manager{
		Cmdline: m.Options.Cmdline,
		Warn:    m.warn,
		Button:  func() { m.request(power.Poweroff) },
	}
	return m.devices.Start(func() { m.guard("devices") })
}

// awaitDevices waits until every device that was there at power-on has its
// driver: onboot containers count on disks and interfaces.
func (m *Machine) awaitDevices() error {
	select {
	case <-m.devices.Settled():
	case <-m.boot.Done():
	}
	return nil
}
