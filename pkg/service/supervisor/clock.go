package supervisor

import "time"

// Clock is where the supervisor has the time from, which its tests hold.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once d is over, unless that is stopped before. It does not
	// wait for f.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// machineClock is the clock of the machine.
type machineClock struct{}

func (machineClock) Now() time.Time { return time.Now() }

func (machineClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}
