package bundle

import (
	"fmt"
	"strconv"
	"strings"
)

// signals are Linux's numbers on amd64 and arm64, from asm-generic/signal.h.
// The host that checks a YAML file may number its own differently.
var signals = map[string]int{
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5,
	"SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8, "SIGKILL": 9, "SIGUSR1": 10,
	"SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15,
	"SIGSTKFLT": 16, "SIGCHLD": 17, "SIGCONT": 18, "SIGSTOP": 19, "SIGTSTP": 20,
	"SIGTTIN": 21, "SIGTTOU": 22, "SIGURG": 23, "SIGXCPU": 24, "SIGXFSZ": 25,
	"SIGVTALRM": 26, "SIGPROF": 27, "SIGWINCH": 28, "SIGIO": 29, "SIGPWR": 30,
	"SIGSYS": 31,
}

// maxSignal is the highest real-time signal, _NSIG in asm-generic/signal.h.
const maxSignal = 64

// ParseSignal reads a signal's name, with or without SIG, or its number.
func ParseSignal(v string) (int, error) {
	if n, err := strconv.Atoi(v); err == nil {
		if n < 1 || n > maxSignal {
			return 0, fmt.Errorf("want a signal from 1 to %d", maxSignal)
		}
		return n, nil
	}
	name := strings.ToUpper(v)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if base, n, ok := strings.Cut(name, "RTMIN+"); ok && base == "SIG" {
		// SIGRTMIN as programs see it: libc keeps 32 and 33 for its threads.
		off, err := strconv.Atoi(n)
		if err == nil && off >= 0 && 34+off <= maxSignal {
			return 34 + off, nil
		}
	}
	if n, ok := signals[name]; ok {
		return n, nil
	}
	return 0, fmt.Errorf(`unknown signal; want a name such as "SIGTERM" or a number`)
}
