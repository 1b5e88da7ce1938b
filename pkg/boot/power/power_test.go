package power

import (
	"strings"
	"testing"
	"time"

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

func TestCommandNumbers(t *testing.T) {
	for v, want := range map[Verb]int{Poweroff: 0x4321fedc, Reboot: 0x1234567, Halt: 0xcdef0123, Kexec: 0x45584543} {
		if got := v.command(); got != want {
			t.Errorf("%s: %#x, want %#x", v, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args []string
		want Options
		ok   bool
	}{
		{nil, Options{}, true},
		{[]string{"-f"}, Options{Force: true}, true},
		{[]string{"-n", "-f"}, Options{Force: true, NoSync: true}, true},
		{[]string{"-d", "3"}, Options{Delay: 3 * time.Second}, true},
		{[]string{"-d3", "-w"}, Options{Delay: 3 * time.Second}, true},
		{[]string{"-d"}, Options{}, false},
		{[]string{"-d", "-1"}, Options{}, false},
		{[]string{"now"}, Options{}, false},
	} {
		got, err := parse(c.args)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%v: %+v, %v", c.args, got, err)
		}
	}
}

// What follows a reboot(2) that hangs is never less than what was asked for, and
// ends in what no driver can hold up. A machine that has halted stays as it is.
func TestLastResorts(t *testing.T) {
	for v, want := range map[Verb]string{Poweroff: "ob", Reboot: "b", Kexec: "b", Halt: ""} {
		if got := strings.Join(v.sysrq(), ""); got != want {
			t.Errorf("%s: %q, want %q", v, got, want)
		}
	}
}
