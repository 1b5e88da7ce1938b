package boot

import (
	"strconv"
	"strings"
	"time"

	"slipway/pkg/log/console"
	"slipway/pkg/machine"
)

// Options is what the kernel's command line says to PID 1.
type Options struct {
	Cmdline  string
	Consoles []string // devices of console=, each once
	Quiet    bool     // slipway.console=quiet
	CgroupV1 bool     // linuxkit.unified_cgroup_hierarchy=0
	// PanicDelay is how long a panic of PID 1 stays on the console before the
	// machine reboots: that of panic=N if given. Negative: for ever.
	PanicDelay time.Duration
}

// defaultPanicDelay is long enough to read or to photograph, and short enough for
// a machine that nobody watches.
const defaultPanicDelay = 10 * time.Second

// ParseOptions reads a command line. Words are compared whole, as LinuxKit does;
// the last of several wins.
func ParseOptions(cmdline string) Options {
	o := Options{
		Cmdline:    strings.TrimSpace(cmdline),
		Consoles:   console.Names(cmdline),
		PanicDelay: defaultPanicDelay,
	}
	for word := range strings.FieldsSeq(cmdline) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "linuxkit.unified_cgroup_hierarchy":
			o.CgroupV1 = value == "0"
		case machine.OptionConsole:
			o.Quiet = value == "quiet"
		case "panic":
			if n, err := strconv.Atoi(value); err == nil {
				o.PanicDelay = panicDelay(n)
			}
		}
	}
	return o
}

// panicDelay gives the kernel's panic=N our meaning: 0 waits for ever, a negative
// number does not wait.
func panicDelay(n int) time.Duration {
	switch {
	case n == 0:
		return -1
	case n < 0:
		return 0
	}
	return time.Duration(n) * time.Second
}
