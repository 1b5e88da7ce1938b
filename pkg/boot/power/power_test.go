package power

import (
	"strings"
	"testing"
	"time"

	"slipway/pkg/machine"
)

func TestCommandNumbers(t *testing.T) {
	for v, want := range map[machine.Verb]int{machine.Poweroff: 0x4321fedc, machine.Reboot: 0x1234567, machine.Halt: 0xcdef0123, machine.Kexec: 0x45584543} {
		if got := command(v); got != want {
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
	for v, want := range map[machine.Verb]string{machine.Poweroff: "ob", machine.Reboot: "b", machine.Kexec: "b", machine.Halt: ""} {
		if got := strings.Join(sysrq(v), ""); got != want {
			t.Errorf("%s: %q, want %q", v, got, want)
		}
	}
}
