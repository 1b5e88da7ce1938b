package machine

import (
	"os"

	"golang.org/x/sys/unix"
)

// Verb says what becomes of the machine.
type Verb string

// The verbs.
const (
	Poweroff Verb = "poweroff"
	Reboot   Verb = "reboot"
	Halt     Verb = "halt"
	Kexec    Verb = "kexec"
)

// signals are what PID 1 understands: first busybox init's meanings, on which
// LinuxKit images lean, then those of real-time signals, as systemd has them and
// container managers send them. The kernel's real-time signals start at 32, but
// the C library keeps two for itself, so that SIGRTMIN is 34.
var signals = map[unix.Signal]Verb{
	unix.SIGTERM: Reboot,
	unix.SIGINT:  Reboot, // Ctrl-Alt-Del
	unix.SIGUSR1: Halt,
	unix.SIGUSR2: Poweroff,
	unix.SIGPWR:  Poweroff,
	34 + 3:       Halt,
	34 + 4:       Poweroff,
	34 + 5:       Reboot,
	34 + 6:       Kexec,
}

// Signals lists all that ask for a verb.
func Signals() []os.Signal {
	var list []os.Signal
	for s := range signals {
		list = append(list, s)
	}
	return list
}

// OfSignal returns the verb that a signal to PID 1 asks for.
func OfSignal(s os.Signal) (Verb, bool) {
	n, ok := s.(unix.Signal)
	v, known := signals[n]
	return v, ok && known
}

// Signal is what asks PID 1 for the verb.
func (v Verb) Signal() unix.Signal {
	switch v {
	case Halt:
		return unix.SIGUSR1
	case Poweroff:
		return unix.SIGUSR2
	case Kexec:
		return 34 + 6
	}
	return unix.SIGTERM
}
