package boot

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/power"
	"slipway/pkg/machine"
)

// maxWait is how long a signal waits for the boot to come to a point where it
// can be ended, before the shutdown begins beside it: a step may hang in the
// kernel.
const maxWait = 10 * time.Second

// listen catches every signal, because Go's answer to most of them would be to
// exit, and the kernel panics when PID 1 exits. None is ignored: children would
// inherit that. SIGCHLD is the reaper's as well.
func (m *Machine) listen() {
	// Nobody reads this one; what does not fit is dropped.
	signal.Notify(make(chan os.Signal, 1))
	verbs := make(chan os.Signal, 16)
	signal.Notify(verbs, machine.Signals()...)
	go func() {
		defer m.guard("signals")
		for s := range verbs {
			if verb, ok := machine.OfSignal(s); ok {
				m.request(verb)
			}
		}
	}()
}

// request asks for the end of the machine. The first one counts: the button is
// pressed again, and a host asks in more than one way.
func (m *Machine) request(verb machine.Verb) {
	m.stopBoot()
	if m.asked.Swap(true) {
		return
	}
	m.unmark(machine.Quiet)
	m.verbs <- verb
	m.Console.Printf("%s requested", verb)
	time.AfterFunc(maxWait, func() {
		defer m.guard("shutdown")
		select {
		case verb := <-m.verbs:
			m.Console.Printf("the boot does not end, going down beside it")
			m.shutdown(verb)
		default:
		}
	})
}

// guard is deferred in every goroutine of PID 1: a panic must not end the process.
// It says what happened, saves what can be saved and reboots.
func (m *Machine) guard(what string) { m.caught(what, recover()) }

// caught is guard for those who call recover themselves: it does nothing in a
// function that a deferred one calls.
func (m *Machine) caught(what string, cause any) {
	if cause == nil {
		return
	}
	m.Console.Printf("panic in %s: %v", what, cause)
	for line := range strings.Lines(string(debug.Stack())) {
		m.Console.Printf("%s", line)
	}
	reason := fmt.Sprintf("slipway: panic in %s: %v\n", what, cause)
	// The kernel's log outlives the reboot where pstore is there.
	if err := os.WriteFile("/dev/kmsg", []byte(reason), 0); err != nil {
		m.warn("note panic in the kernel's log", err)
	}
	m.Console.Drain(time.Second)
	if m.Options.PanicDelay < 0 || m.Contained {
		select {}
	}
	// sync(2) can hang on a broken disk.
	go unix.Sync()
	time.Sleep(m.Options.PanicDelay)
	m.warn("reboot after panic", power.End(machine.Reboot, m.Console.Printf))
	select {}
}
