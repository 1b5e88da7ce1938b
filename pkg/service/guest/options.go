package guest

import (
	"fmt"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
)

// Options are the words of the kernel's command line that matter here.
type Options struct {
	RuncDebug   bool
	RuncConsole bool
	Report      string // "", "poweroff" or "print"
	// Runtime is the OCI runtime of containers that ask for none, as
	// bundle.ParseRuntime has it; "": the first that is there.
	Runtime string
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
	for word := range strings.FieldsSeq(cmdline) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "linuxkit.runc_debug":
			o.RuncDebug = value == "1"
		case "linuxkit.runc_console":
			o.RuncConsole = value == "1"
		case machine.OptionReport:
			o.Report = value
		case machine.OptionRuntime:
			o.setRuntime(value)
		case machine.OptionWatchdog:
			o.setWatchdog(value)
		}
	}
	return o
}

func (o *Options) setRuntime(value string) {
	name, err := bundle.ParseRuntime(value)
	if err != nil {
		o.Wrong = append(o.Wrong, fmt.Sprintf("%s=%s: %s", machine.OptionRuntime, value, err))
		return
	}
	o.Runtime = name
}

func (o *Options) setWatchdog(value string) {
	d, err := time.ParseDuration(value)
	switch {
	case value == "off":
		o.Watchdog, o.WatchdogOff = 0, true
	case err != nil || d < minWatchdog:
		o.Wrong = append(o.Wrong, fmt.Sprintf("%s=%s: want off, or a duration of %s or more", machine.OptionWatchdog, value, minWatchdog))
	default:
		o.Watchdog, o.WatchdogOff = d, false
	}
}
