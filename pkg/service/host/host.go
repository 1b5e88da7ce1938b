// Package host is what all parts of the service program know of the machine
// they run on: where things lie, what the kernel's command line asks for, and
// how to tell people something.
package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/escape"
	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
	"slipway/pkg/log/layout"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/timeline"
)

// Paths says where things lie. Each is a flag, so that the program runs
// anywhere; Default is a machine booted from an image.
type Paths struct {
	Containers string // folders onboot, onshutdown and services
	Services   string // the services' folder, if it lies elsewhere
	Run        string // what lasts until the power goes
	Log        string
	Var        string // may last from boot to boot
	Runc       string
	RuncRoot   string
	Volumes    string
	Dev        string
	Cmdline    string
}

// Default is the layout of an image.
func Default() Paths {
	return Paths{
		Containers: bundle.Root, Run: "/run", Log: "/var/log", Var: "/var",
		Runc: "/usr/bin/runc", RuncRoot: "/run/runc",
		Volumes: bundle.Root + "/volumes", Dev: "/dev", Cmdline: "/proc/cmdline",
	}
}

// Section is the folder of a section's bundles.
func (p Paths) Section(s bundle.Section) string {
	if s == bundle.Services && p.Services != "" {
		return p.Services
	}
	return filepath.Join(p.Containers, string(s))
}

// Own is the folder below Run that is ours.
func (p Paths) Own(elem ...string) string {
	return filepath.Join(append([]string{p.Run, "slipway"}, elem...)...)
}

// Find finds the bundle that a name stands for: a service's folder, or that of a
// step with or without its number. If there is none the error is ErrNotExist, and
// names are those that there are.
func (p Paths) Find(name string) (section bundle.Section, folder string, names []string, err error) {
	for _, s := range []bundle.Section{bundle.Services, bundle.Onboot, bundle.Onshutdown} {
		folders, err := bundle.List(p.Section(s))
		if err != nil {
			return "", "", nil, err
		}
		for _, folder := range folders {
			if folder == name || bundle.ShortName(s, folder) == name {
				return s, folder, nil, nil
			}
			names = append(names, folder)
		}
	}
	return "", "", names, fmt.Errorf("container %q: %w", name, os.ErrNotExist)
}

// Logs are the paths that package logs needs.
func (p Paths) Logs() layout.Paths { return layout.Paths{Run: p.Run, Log: p.Log} }

// Host is the machine.
type Host struct {
	Paths   Paths
	Options Options
	// Terminal is every console of the machine.
	Terminal *console.Console
	Timeline *timeline.Recorder
	// Journal keeps what is said.
	Journal *journal.Journal
	// Port leads to the host of a virtual machine; nil without one.
	Port   *port.Port
	wishes atomic.Pointer[port.Wishes]
}

// Options are the words of the kernel's command line that matter here.
type Options struct {
	RuncDebug   bool
	RuncConsole bool
	Report      string // "", "poweroff" or "print"
	// Watchdog is how long the supervisor may hang before the machine's
	// watchdog resets it; 0: only services ask for one. WatchdogOff: there is
	// to be none, whoever asks.
	Watchdog    time.Duration
	WatchdogOff bool
	Wrong       []string // words of ours that mean nothing
}

// minWatchdog is the shortest timeout that can be kept in the worst of times.
const minWatchdog = 3 * time.Second

// Report values of slipway.report.
const (
	ReportPoweroff = "poweroff"
	ReportPrint    = "print"
)

// ParseOptions reads a command line; the last word of a kind counts.
func ParseOptions(cmdline string) Options {
	var o Options
	for _, word := range strings.Fields(cmdline) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "linuxkit.runc_debug":
			o.RuncDebug = value == "1"
		case "linuxkit.runc_console":
			o.RuncConsole = value == "1"
		case "slipway.report":
			o.Report = value
		case "slipway.watchdog":
			o.setWatchdog(value)
		}
	}
	return o
}

func (o *Options) setWatchdog(value string) {
	d, err := time.ParseDuration(value)
	switch {
	case value == "off":
		o.Watchdog, o.WatchdogOff = 0, true
	case err != nil || d < minWatchdog:
		o.Wrong = append(o.Wrong, fmt.Sprintf("slipway.watchdog=%s: want off, or a duration of %s or more", value, minWatchdog))
	default:
		o.Watchdog, o.WatchdogOff = d, false
	}
}

// Open reads the command line and opens consoles and timeline. What of it
// fails is told on what is there: a machine without a console boots as well.
func Open(p Paths) (*Host, error) {
	h := &Host{Paths: p, Terminal: console.New(), Port: port.Inherited()}
	if err := os.MkdirAll(p.Own(), 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", p.Own(), err)
	}
	h.Timeline = timeline.Open(p.Own(machine.Timeline))
	h.Journal = &journal.Journal{}
	journalErr := h.Journal.Open(p.Journal())
	cmdline, err := os.ReadFile(p.Cmdline)
	h.Options = ParseOptions(string(cmdline))
	return h, errors.Join(err, journalErr, h.openTerminal(string(cmdline)))
}

// openTerminal takes the machine's consoles if standard output is one, else
// standard output: somebody ran the program by hand.
func (h *Host) openTerminal(cmdline string) error {
	if !onConsole(h.Paths.Dev) {
		return h.Terminal.AttachFile(os.Stdout)
	}
	return h.Terminal.Attach(h.Paths.Dev, console.Names(cmdline), "console")
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
func (h *Host) Say(format string, args ...any) {
	if h.Quiet() {
		h.Journal.Add(time.Now(), escape.Line(fmt.Sprintf(format, args...)))
		return
	}
	h.Answer(format, args...)
}

// Answer is Say for what somebody has asked for, quiet or not.
func (h *Host) Answer(format string, args ...any) {
	text := escape.Line(fmt.Sprintf(format, args...))
	h.Journal.Add(time.Now(), text)
	h.Print("slipway: " + text + "\n")
}

// Quiet tells whether the consoles are somebody's who types there.
func (h *Host) Quiet() bool {
	_, err := os.Lstat(h.Paths.Own(machine.Quiet))
	return err == nil
}

// Print writes text as it is. A Console takes everything and never fails.
func (h *Host) Print(text string) {
	if _, err := h.Terminal.Write([]byte(text)); err != nil {
		return
	}
}

// flushStall is how long a console may take nothing before it is given up.
const flushStall = time.Second

// Close waits for slow consoles and closes what is open.
func (h *Host) Close() error {
	h.Terminal.Flush(flushStall)
	return errors.Join(h.Terminal.Close(), h.Timeline.Close(), h.Journal.Close(), h.Port.Close())
}
