package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/device"
	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
)

// startDevices begins to find devices and to load their modules, beside the steps
// that follow.
func (m *Machine) startDevices() error {
	m.warn("hurry RCU", m.hurryRCU())
	m.devices = &device.Manager{
		Cmdline: m.Options.Cmdline,
		Wanted:  append(m.filesystemModules(), "loop"),
		Warn:    m.warn,
		Button:  func() { m.request(machine.Poweroff) },
	}
	return m.devices.Start(func(cause any) { m.caught("devices", cause) })
}

// deviceLimit bounds the wait for devices: a driver or a disk may hang, and most
// of the machine may do without.
const deviceLimit = 30 * time.Second

// awaitDevices waits until every device that was there at power-on has its
// driver: onboot containers count on disks and interfaces.
func (m *Machine) awaitDevices() error {
	defer func() { m.warn("let RCU take its time", m.calmRCU()) }()
	select {
	case <-m.devices.Settled():
	case <-m.boot.Done():
	case <-time.After(deviceLimit):
		return fmt.Errorf("not all found after %s, going on", deviceLimit)
	}
	return nil
}

// rcuExpedited has those who wait in the kernel for a grace period of RCU wait for less, at
// the price of interrupts to all processors. A driver that is loaded may do so for each device: the power
// button's took four ticks of the clock, in which a boot had nothing else to do.
const rcuExpedited = "/sys/kernel/rcu_expedited"

// hurryRCU asks for that until calmRCU, unless the kernel's command line has.
func (m *Machine) hurryRCU() error {
	was, err := os.ReadFile(rcuExpedited)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(rcuExpedited, []byte("1\n"), 0); err != nil {
		return err
	}
	m.rcu = was
	return nil
}

func (m *Machine) calmRCU() error {
	if m.rcu == nil {
		return nil
	}
	return os.WriteFile(rcuExpedited, m.rcu, 0)
}

// loops is how many loop devices there are, as kernels make them by default. The
// payload's is another one; see package root.
const loops = 8

// makeLoops has the devices loop0 to loop7 be there, also where the kernel makes
// none by itself. A kernel may have no loop devices at all.
func makeLoops() error {
	control, err := os.Open("/dev/loop-control")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make loop devices: %w", err)
	}
	defer control.Close()
	for i := range loops {
		if err := unix.IoctlSetInt(int(control.Fd()), unix.LOOP_CTL_ADD, i); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("make /dev/loop%d: %w", i, err)
		}
	}
	return nil
}

// filesystemModules names the modules of kernel features that are mounted as
// filesystems. They are loaded along with the drivers.
func (m *Machine) filesystemModules() []string {
	_, unknown, err := kernelFeatures()
	m.warn("find kernel features", err)
	var names []string
	for _, f := range unknown {
		names = append(names, "fs-"+f.Type)
	}
	return names
}

// mountFeatures mounts what the kernel has of its optional filesystems, built in
// or by now loaded.
func (m *Machine) mountFeatures() error {
	known, _, err := kernelFeatures()
	if err != nil {
		return err
	}
	return withoutModprobe(func() error { return mountAll(known) })
}

// withoutModprobe keeps the kernel from starting modprobe meanwhile. Mounting bpf
// makes it look for a module to preload, which no image has and which costs as
// much as ten other steps. Devices that come just then are none the worse: their
// modules are loaded by PID 1.
func withoutModprobe(do func() error) error {
	const setting = "/proc/sys/kernel/modprobe"
	program, err := os.ReadFile(setting)
	if err == nil {
		err = os.WriteFile(setting, []byte("\n"), 0)
	}
	if err != nil {
		// A kernel without modules, or one that does not let us.
		return do()
	}
	err = do()
	if back := os.WriteFile(setting, program, 0); back != nil {
		err = errors.Join(err, fmt.Errorf("set modprobe program again: %w", back))
	}
	return err
}

func kernelFeatures() (known, unknown []mount.Mount, err error) {
	data, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return nil, nil, fmt.Errorf("list filesystems: %w", err)
	}
	known, unknown = splitKnown(kernelMounts, string(data))
	return known, unknown, nil
}
