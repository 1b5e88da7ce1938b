package supervisor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchdog is a device that resets the machine if it is not fed in time. It is
// fed by the loop, so a supervisor that hangs stops feeding it, and during the
// shutdown until this process ends: what hangs after that is reset as well.
type watchdog struct {
	file *os.File
	tick *time.Ticker
}

// openWatchdog opens the device and sets its timeout, in whole seconds.
func openWatchdog(path string, timeout time.Duration) (*watchdog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open watchdog: %w", err)
	}
	seconds := max(int(timeout/time.Second), 1)
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, seconds); err != nil {
		return nil, errors.Join(fmt.Errorf("set timeout of watchdog: %w", err), f.Close())
	}
	return &watchdog{file: f, tick: time.NewTicker(timeout / 3)}, nil
}

// hungry is the loop's sign to feed; a nil watchdog is never hungry.
func (w *watchdog) hungry() <-chan time.Time {
	if w == nil {
		return nil
	}
	return w.tick.C
}

func (w *watchdog) feed() error {
	// Any byte but V, which would be the wish to be let go.
	if _, err := w.file.Write([]byte{0}); err != nil {
		return fmt.Errorf("feed watchdog: %w", err)
	}
	return nil
}

// startWatchdog does so if the kernel's command line asks for it with
// slipway.watchdog=DURATION. A machine without the device runs without.
func (s *Supervisor) startWatchdog() *watchdog {
	timeout := s.Host.Options.Watchdog
	if timeout == 0 {
		return nil
	}
	w, err := openWatchdog(s.Host.Paths.Dev+"/watchdog", timeout)
	if err != nil {
		s.Host.Say("%s", err)
		return nil
	}
	return w
}
