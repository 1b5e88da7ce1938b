package machine

import (
	"testing"

	"golang.org/x/sys/unix"
)

// busybox init's meanings first, for images lean on them.
func TestOfSignal(t *testing.T) {
	for s, want := range map[unix.Signal]Verb{
		unix.SIGTERM: Reboot, unix.SIGUSR1: Halt, unix.SIGUSR2: Poweroff, unix.SIGINT: Reboot, unix.SIGPWR: Poweroff,
		37: Halt, 38: Poweroff, 39: Reboot, 40: Kexec,
	} {
		if got, ok := OfSignal(s); !ok || got != want {
			t.Errorf("%s: %q, %v; want %s", s, got, ok, want)
		}
	}
	for s := unix.Signal(1); s <= 64; s++ {
		if _, ok := signals[s]; ok {
			continue
		}
		if v, ok := OfSignal(s); ok {
			t.Errorf("%s means %s", s, v)
		}
	}
	if len(Signals()) != len(signals) {
		t.Errorf("Signals() lists %d of %d", len(Signals()), len(signals))
	}
}

// What the commands send is what PID 1 understands.
func TestSignalRoundTrip(t *testing.T) {
	for _, v := range []Verb{Poweroff, Reboot, Halt, Kexec} {
		if got, ok := OfSignal(v.Signal()); !ok || got != v {
			t.Errorf("%s sends %s, which means %s", v, v.Signal(), got)
		}
	}
}
