package boot

import (
	"context"
	"errors"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/power"
	"slipway/pkg/machine"
)

// slack is what the way down may take, beyond the timeouts that containers have
// by their policies, before the machine ends whatever hangs. Each rung may use of
// it what it has at most, but for what the later ones have at least.
const slack = 30 * time.Second

// flushLimit is for the consoles, at the very end.
const flushLimit = 2 * time.Second

// rung is one thing to do on the way down. It runs beside the descent, which goes
// on without it when its time is over: its context ends then.
type rung struct {
	name string
	do   func(*Machine, context.Context)
	// policy is how long the containers' policies give it, as known by now.
	policy      func(*Machine) time.Duration
	least, most time.Duration // of the slack
	// more says that it gets on, slow as it is: then it has moreLimit.
	more func(*Machine) bool
	// machine: not done in a container, whose mounts are not ours.
	machine bool
}

// ladder is the way down.
var ladder = []rung{
	{name: "onshutdown", do: (*Machine).runShutdownScripts, policy: (*Machine).scriptsPolicy, least: 2 * time.Second, most: 10 * time.Second},
	{name: "services", do: (*Machine).stopServices, policy: (*Machine).servicesPolicy, least: 2 * time.Second, most: 10 * time.Second},
	{name: "thaw", do: (*Machine).thaw, least: time.Second, most: 2 * time.Second, machine: true},
	{name: "processes", do: (*Machine).endProcesses, least: 4 * time.Second, most: 12 * time.Second},
	{name: "filesystems", do: (*Machine).leaveFilesystems, least: 8 * time.Second, most: 15 * time.Second, more: (*Machine).disksMove, machine: true},
}

// shutdown goes down the ladder, once, and calls reboot(2). It never returns.
func (m *Machine) shutdown(verb machine.Verb) {
	m.down.Do(func() {
		m.stopBoot()
		m.Console.Printf("%s: going down", verb)
		m.noteVerb(verb)
		m.tellEnd(verb)
		m.thawLater()
		m.descend(verb, ladder, slack)
		m.finish(verb)
	})
	select {}
}

// descend goes down a ladder within its bound.
func (m *Machine) descend(verb machine.Verb, ladder []rung, left time.Duration) {
	for i, r := range ladder {
		if m.Contained && r.machine {
			continue
		}
		for _, later := range ladder[i+1:] {
			left -= later.least
		}
		own := min(r.most, max(left, r.least))
		took, policy := m.bounded(r, own)
		left -= max(0, min(took-policy, own))
		for _, later := range ladder[i+1:] {
			left += later.least
		}
		if took > time.Second {
			m.Console.Printf("%s: %s took %.1fs", verb, r.name, took.Seconds())
		}
	}
}

// bounded runs a rung for as long as its policy gives it and own more, and says
// what it took.
func (m *Machine) bounded(r rung, own time.Duration) (took, policy time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin, done := time.Now(), make(chan struct{})
	go func() {
		defer m.guard(r.name)
		defer close(done)
		r.do(m, ctx)
	}()
	for {
		if r.policy != nil {
			// It may grow: what runs the containers reads their policies first.
			policy = r.policy(m)
		}
		left := own + policy - time.Since(begin)
		if left <= 0 && r.more != nil && time.Since(begin) < moreLimit && r.more(m) {
			left = time.Second
		}
		if left <= 0 {
			break
		}
		select {
		case <-done:
			return time.Since(begin), policy
		case <-time.After(left):
		}
	}
	cancel()
	select {
	case <-done: // it has ended by its context
	case <-time.After(lastWords):
	}
	m.Console.Printf("%s: not done after %s, going on without", r.name, time.Since(begin).Round(time.Second))
	m.sayStuck()
	return time.Since(begin), policy
}

// moreLimit is how long what is slow, and does not hang, may take.
const moreLimit = 5 * time.Minute

// lastWords is how long a rung whose time is over has to say what it leaves.
const lastWords = 500 * time.Millisecond

// noteVerb tells the supervisor why it is stopped, which keeps it for the next
// boot.
func (m *Machine) noteVerb(verb machine.Verb) {
	if m.timeline == nil {
		return // the boot did not come to where /run is
	}
	name := path.Join(machine.Run, machine.VerbFile)
	m.warn("note what was asked for", machine.WriteFile(name, []byte(verb)))
}

// finish calls reboot(2), after everything written has left through the consoles.
func (m *Machine) finish(verb machine.Verb) {
	m.Console.Printf("%s", verb)
	m.Console.Drain(flushLimit)
	if m.Contained {
		err := power.Now(verb)
		if errors.Is(err, unix.EPERM) {
			// A container without CAP_SYS_BOOT ends with its PID 1.
			os.Exit(0)
		}
		m.warn("end", err)
		return
	}
	m.warn("end", power.End(verb, m.sayLast))
	if verb != machine.Halt {
		m.warn("end", power.End(machine.Reboot, m.sayLast))
	}
}

// sayLast says what is to be read although the machine may end right behind it.
func (m *Machine) sayLast(format string, args ...any) {
	m.Console.Printf(format, args...)
	m.Console.Drain(flushLimit)
}

// runShutdownScripts runs /etc/shutdown.d while the services are still up, as
// LinuxKit does: an onshutdown container may want to talk to them.
func (m *Machine) runShutdownScripts(ctx context.Context) { m.runScripts(ctx, shutdownDir) }

// stopServices has the supervisor stop them.
func (m *Machine) stopServices(ctx context.Context) {
	if m.supervisor == nil {
		return
	}
	begin := time.Now()
	if !m.supervisor.end(ctx) {
		m.Console.Printf("supervisor: still there after %s", time.Since(begin).Round(time.Second))
	}
}

// endProcesses ends what is left, without waiting longer than need be.
func (m *Machine) endProcesses(ctx context.Context) {
	if os.Getpid() != 1 {
		// kill(-1) would reach processes that are not below this one.
		return
	}
	for _, round := range []struct {
		signal unix.Signal
		limit  time.Duration
	}{{unix.SIGTERM, 8 * time.Second}, {unix.SIGKILL, 4 * time.Second}} {
		err := unix.Kill(-1, round.signal)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			m.warn("end processes", err)
		}
		// A stopped process would sit on its SIGTERM.
		if err := unix.Kill(-1, unix.SIGCONT); err != nil && !errors.Is(err, unix.ESRCH) {
			m.warn("continue processes", err)
		}
		begin := time.Now()
		if m.children.gone(ctx, round.limit) {
			return
		}
		m.Console.Printf("still there %s after %s:%s", time.Since(begin).Round(time.Second), unix.SignalName(round.signal), processNames())
	}
}
