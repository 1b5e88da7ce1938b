package boot

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"slipway/pkg/boot/device"
	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/reap"
	"slipway/pkg/timeline"
)

// Machine is the state of PID 1. Its life:
//   - Main makes one and carries out the steps;
//   - it runs /etc/init.d, which ends when all services had their first start;
//   - it waits for a verb, while signals.go reaps and listens;
//   - shutdown ends everything, in any of these phases.
type Machine struct {
	Options Options
	Console *Console
	// Contained: /proc was there before, so this is no machine but a container.
	Contained bool

	children   children
	devices    *device.Manager
	rcu        []byte // what rcuExpedited said before; nil without one
	supervisor *supervisor
	port       *port.Port // to the host; nil without one
	spans      []Span
	timeline   *timeline.Recorder

	boot     context.Context // ends when a shutdown is asked for
	stopBoot context.CancelFunc
	verbs    chan machine.Verb
	asked    atomic.Bool // for a verb
	down     sync.Once
	scripts  machine.Scripts // of /etc/init.d; its goroutine's
	foreign  atomic.Int32    // scripts of /etc/shutdown.d that are not ours, so far
	leaving  atomic.Pointer[leaver]
	// diskCalls has a place for each call that may hang at a time.
	diskCalls chan struct{}
	thawing   sync.Map // filesystems, by device, that are being thawed
}

// Span is what a step of the boot took, counted from the power-on.
type Span struct {
	Name       string
	Begin, End time.Duration
	Err        error
}

// Main is PID 1 (or, in a container, an init of LinuxKit's userspace mode). It
// returns only in a container whose processes have all ended.
func Main() int {
	// Nothing is collected while booting, which allocates two megabytes. After it
	// PID 1 allocates next to nothing: a small heap is worth more than rare GCs.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(32 << 20)
	reserveThreads()
	m := newMachine()
	defer m.guard("main")
	m.listen()
	if os.Getpid() != 1 {
		m.warn("become the parent of orphans", reap.SetSubreaper())
	}
	if err := m.runSteps(steps); err != nil {
		m.Console.Printf("boot stops here: %v", err)
		m.shutdown(<-m.verbs)
	}
	m.noteScripts()
	m.runScripts(m.boot, initDir)
	m.scripts.Over = m.boot.Err() == nil
	m.noteScripts()
	m.tellBoot(timeline.Now())
	debug.SetGCPercent(30)
	debug.FreeOSMemory()
	if m.Contained {
		return m.waitContained()
	}
	m.shutdown(<-m.verbs)
	return 1
}

func newMachine() *Machine {
	m := &Machine{
		Console:   &Console{Console: console.New()},
		children:  children{reaper: reap.New()},
		verbs:     make(chan machine.Verb, 1),
		diskCalls: make(chan struct{}, diskThreads),
		// A panic before the command line is read waits like any other.
		Options: ParseOptions(""),
	}
	_, err := os.Stat("/proc/self")
	m.Contained = err == nil || !errors.Is(err, os.ErrNotExist)
	m.boot, m.stopBoot = context.WithCancel(context.Background())
	m.Console.Journal = &journal.Journal{}
	// Until /dev is mounted the kernel's console, if there is one, must do.
	m.Console.attach(nil)
	return m
}

// waitContained waits for what the scripts left behind, as LinuxKit's rc.init
// does in a container, or for a signal.
func (m *Machine) waitContained() int {
	for !none() {
		select {
		case verb := <-m.verbs:
			m.shutdown(verb)
		case <-time.After(time.Second):
		}
	}
	return 0
}

// warn says on the console what went wrong with what.
func (m *Machine) warn(what string, err error) {
	if err != nil {
		m.Console.Printf("%s: failed: %v", what, err)
	}
}
