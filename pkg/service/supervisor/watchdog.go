package supervisor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/service/state"
)

// defaultWatchdog is the timeout if a service's policy asks for a watchdog and
// the kernel's command line gives none. The way down from the supervisor's end
// to the last filesystem has to fit in.
const defaultWatchdog = time.Minute

// watchdog is a device that resets the machine if it is not fed in time. It is
// fed by the loop, so a supervisor that hangs stops feeding it, and during the
// shutdown until this process ends: what hangs after that is reset as well.
type watchdog struct {
	file    *os.File
	timeout time.Duration
	refused string // why it was not fed the last time
}

// openWatchdog opens the device, from when on it has to be fed.
func openWatchdog(path string, timeout time.Duration) (*watchdog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	timeout = setTimeout(f, timeout)
	return &watchdog{file: f, timeout: timeout}, nil
}

// setTimeout asks for a timeout, in whole seconds, and returns the one that the
// device has: some have only a few to choose from, some only one.
func setTimeout(f *os.File, timeout time.Duration) time.Duration {
	fd := int(f.Fd())
	err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, int(timeout/time.Second))
	if has, getErr := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT); getErr == nil && has > 0 {
		return time.Duration(has) * time.Second
	}
	if err != nil {
		return min(timeout, defaultWatchdog)
	}
	return timeout
}

func (w *watchdog) feed() error {
	// Any byte but V, which would disarm it.
	if _, err := w.file.Write([]byte{0}); err != nil {
		return fmt.Errorf("feed watchdog: %w", err)
	}
	return nil
}

// startWatchdog does so if the kernel's command line asks for it with
// slipway.watchdog=DURATION, or a service with slipway.watchdog. A machine
// without the device runs without.
func (s *Supervisor) startWatchdog() *watchdog {
	o := s.Guest.Options
	timeout := o.Watchdog
	if timeout == 0 && len(s.watched()) > 0 {
		timeout = defaultWatchdog
	}
	if timeout == 0 || o.WatchdogOff {
		return nil
	}
	w, err := openWatchdog(s.Guest.Paths.Dev+"/watchdog", timeout)
	if err != nil {
		s.Guest.Say("%s; the machine runs without", err)
		return nil
	}
	s.Guest.Say("watchdog: resets the machine when it is not fed for %s", w.timeout)
	s.feedIn(w.timeout / 3)
	return w
}

// feedIn has the loop feed the watchdog in a while.
func (s *Supervisor) feedIn(pause time.Duration) {
	s.Clock.AfterFunc(pause, func() { s.post(s.feed) })
}

// watched lists the services that the watchdog stands for.
func (s *Supervisor) watched() []string {
	var names []string
	for _, name := range s.set.Names() {
		if b := s.bundles[name]; b != nil && b.Policy.Watchdog {
			names = append(names, name)
		}
	}
	return names
}

// feed feeds the watchdog unless a watched service is down, and will again. One that
// comes back within the timeout has harmed nobody.
func (s *Supervisor) feed() {
	s.feedIn(s.dog.timeout / 3)
	why := s.unhealthy()
	if why != s.dog.refused {
		s.dog.refused = why
		if why == "" {
			s.Guest.Say("watchdog: fed again")
			s.noteSuspect("")
		} else {
			s.Guest.Say("watchdog: not fed while %s", why)
			s.noteSuspect("the watchdog was not fed, because " + why)
		}
	}
	if why == "" {
		s.report(s.dog.feed())
	}
}

// unhealthy says which watched services are down, or "". One that is on its first
// start is not yet, one that people have stopped is not any more, and on the
// way down all of them are to be.
func (s *Supervisor) unhealthy() string {
	if s.stopping {
		return ""
	}
	var down []string
	for _, name := range s.watched() {
		rec := s.set.Peek(name)
		given := rec.State == state.Exited || !rec.First
		asked := !rec.Wanted && rec.State != state.Failed
		if rec.State != state.Ready && !given && !asked {
			down = append(down, "service "+name+" is "+string(rec.State))
		}
	}
	return strings.Join(down, ", ")
}
