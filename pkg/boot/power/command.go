package power

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
)

// Options are what poweroff, reboot and halt take, as in busybox.
type Options struct {
	Force  bool          // -f: reboot(2) at once, PID 1 is not asked
	NoSync bool          // -n: and without sync(2)
	Delay  time.Duration // -d SECONDS
}

// Command is poweroff, reboot or halt; it returns the exit status and what to
// say. Only CAP_SYS_BOOT is needed for -f, so that it works in a container.
func Command(v machine.Verb, args []string) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 2, fmt.Errorf("%s: %w\nusage: %s [-f] [-n] [-d SECONDS]", v, err, v)
	}
	time.Sleep(o.Delay)
	if !o.NoSync && !Sync() {
		fmt.Fprintf(os.Stderr, "%s: a disk takes nothing, going on without\n", v)
	}
	if o.Force {
		err = End(v, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	} else if err = unix.Kill(1, v.Signal()); err != nil {
		err = fmt.Errorf("%s: signal PID 1: %w", v, err)
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

func parse(args []string) (Options, error) {
	var o Options
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-f", a == "--force":
			o.Force = true
		case a == "-n", a == "--no-sync":
			o.NoSync = true
		case a == "-w", a == "-i", a == "-p":
			// Of other implementations; there is no wtmp, and power is always cut.
		case a == "-d" && i+1 < len(args):
			i++
			if err := o.delay(args[i]); err != nil {
				return o, err
			}
		case strings.HasPrefix(a, "-d") && len(a) > 2:
			if err := o.delay(a[2:]); err != nil {
				return o, err
			}
		default:
			return o, fmt.Errorf("unknown argument %q", a)
		}
	}
	return o, nil
}

func (o *Options) delay(text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("delay %q is not a number of seconds", text)
	}
	o.Delay = time.Duration(n) * time.Second
	return nil
}
