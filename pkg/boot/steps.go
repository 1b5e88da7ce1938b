package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/root"
	"slipway/pkg/machine"
	"slipway/pkg/timeline"
)

// step is one thing that PID 1 does before it runs /etc/init.d.
type step struct {
	name string
	do   func(*Machine) error
	// fatal: booting on makes no sense. The machine waits for a signal then, so
	// that the cause can be read on its console.
	fatal bool
	// everywhere: also done in a container, whose manager did the other steps.
	everywhere bool
}

// timelineFile is where PID 1, onboot and the supervisor write down what takes
// how long.
const timelineFile = machine.Run + "/" + machine.Timeline

// journalFile is where they write down what they say.
const journalFile = machine.Run + "/" + machine.Journal

// steps is the boot. The root comes before any mount, because it moves; devices
// are found while the steps after that go on, and are there when the list ends.
var steps = []step{
	{name: "root", do: (*Machine).enterRoot, fatal: true},
	{name: "read ahead", do: (*Machine).startReadAhead},
	{name: "proc", do: func(*Machine) error { return mountAll(procMount) }},
	{name: "options", do: (*Machine).readOptions, everywhere: true},
	{name: "memory", do: (*Machine).lockMemory},
	{name: "protect root", do: func(*Machine) error { return protectRoot() }},
	{name: "mounts", do: func(*Machine) error { return mountAll(baseMounts) }},
	{name: "journal", do: (*Machine).openJournal, everywhere: true},
	{name: "var", do: func(*Machine) error { return makeVar() }},
	{name: "dev", do: func(*Machine) error { return makeDev() }},
	{name: "console", do: (*Machine).openConsoles, everywhere: true},
	{name: "find devices", do: (*Machine).startDevices},
	{name: "device mounts", do: func(*Machine) error { return mountAll(deviceMounts) }},
	{name: "cgroups", do: (*Machine).mountCgroups},
	{name: "loopback", do: func(*Machine) error { return upLoopback() }},
	{name: "limits", do: func(*Machine) error { return setLimits() }, everywhere: true},
	{name: "resolv.conf", do: func(*Machine) error { return makeResolvConf() }, everywhere: true},
	{name: "ctrl-alt-del", do: func(*Machine) error { return catchCtrlAltDel() }},
	{name: "banner", do: (*Machine).showBanner},
	{name: "devices", do: (*Machine).awaitDevices},
	{name: "loop devices", do: func(*Machine) error { return makeLoops() }},
	{name: "port", do: (*Machine).openPort},
	{name: "kernel mounts", do: (*Machine).mountFeatures},
	{name: "share root", do: func(*Machine) error { return shareRoot() }},
	{name: "clock", do: func(*Machine) error { return setClock() }},
	{name: "hostname", do: func(*Machine) error { return setHostname() }, everywhere: true},
}

// runSteps carries out the list. A step that fails is named on the console, and
// only a fatal one ends the boot. A shutdown ends it between two steps.
func (m *Machine) runSteps(list []step) error {
	for _, s := range list {
		if m.Contained && !s.everywhere {
			continue
		}
		if m.boot.Err() != nil {
			return m.boot.Err()
		}
		span := Span{Name: s.name, Begin: timeline.Now()}
		span.Err = s.do(m)
		span.End = timeline.Now()
		m.spans = append(m.spans, span)
		m.warn(s.name, span.Err)
		if span.Err != nil && s.fatal {
			return fmt.Errorf("step %s: %w", s.name, span.Err)
		}
	}
	m.saveSpans()
	return nil
}

func (m *Machine) enterRoot() error {
	_, err := root.Enter()
	return err
}

// openJournal gives the lines of the first steps, kept by this process so far, to
// the file that all parts of the system append to.
func (m *Machine) openJournal() error { return m.Console.Journal.Open(journalFile) }

func (m *Machine) readOptions() error {
	data, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read command line of the kernel: %w", err)
	}
	m.Options = ParseOptions(string(data))
	return nil
}

// openConsoles gives this process and its children the new /dev/console: the
// kernel opened theirs in the initramfs, whose files must not stay in use.
func (m *Machine) openConsoles() error {
	if m.Contained {
		return m.Console.AttachFile(os.Stderr)
	}
	m.Console.attach(m.Options.Consoles)
	fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		// A machine without any console runs all the same.
		fd, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return fmt.Errorf("open /dev/console: %w", err)
	}
	for n := range 3 {
		if err := unix.Dup3(fd, n, 0); err != nil {
			return fmt.Errorf("redirect to /dev/console: %w", err)
		}
	}
	return unix.Close(fd)
}

// showBanner greets on every console, as LinuxKit's 000-issue does.
func (m *Machine) showBanner() error {
	issue, err := os.ReadFile("/etc/issue")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read banner: %w", err)
	}
	text := strings.ReplaceAll(strings.TrimRight(string(issue), "\n"), "\n", "\r\n")
	m.Console.show("\r\n" + text + "\r\n")
	return nil
}

// catchCtrlAltDel makes the keys a SIGINT to PID 1 instead of a hard reset.
func catchCtrlAltDel() error {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		return fmt.Errorf("catch ctrl-alt-del: %w", err)
	}
	return nil
}

// saveSpans hands what each step took to the timeline, which has a place only
// since /run is mounted.
func (m *Machine) saveSpans() {
	m.warn("make directory of the timeline", os.MkdirAll(path.Dir(timelineFile), 0o755))
	m.timeline = timeline.Open(timelineFile)
	for _, s := range m.spans {
		m.timeline.Span(s.Name, s.Begin, s.End, s.Err, timeline.Phase(timeline.PhaseInit))
	}
	m.warn("write timeline", m.timeline.Err())
}
