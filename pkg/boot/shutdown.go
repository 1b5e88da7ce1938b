package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/power"
	"slipway/pkg/container/mount"
	"slipway/pkg/log/journal"
)

// Time limits on the way down. Containers have limits of their own (by policy):
// these only bound what a fault can cost. Those of scripts and supervisor are
// longer where the policies ask for more.
const (
	scriptsLimit    = 5 * time.Minute  // all of /etc/shutdown.d
	supervisorLimit = 5 * time.Minute  // services, each by its policy
	termLimit       = 10 * time.Second // from SIGTERM to everybody to SIGKILL
	killLimit       = 5 * time.Second  // from SIGKILL to the unmounting
	unmountLimit    = 20 * time.Second // sync, swap, filesystems, loop devices
	flushLimit      = 2 * time.Second  // console
)

// rung is one thing to do on the way down.
type rung struct {
	name string
	do   func(*Machine)
	// machine: not done in a container, whose mounts are not ours.
	machine bool
}

// ladder is the way down.
var ladder = []rung{
	{name: "onshutdown", do: (*Machine).runShutdownScripts},
	{name: "services", do: (*Machine).stopServices},
	{name: "processes", do: (*Machine).endProcesses},
	{name: "filesystems", do: (*Machine).leaveFilesystems, machine: true},
}

// shutdown goes down the ladder, once, and calls reboot(2). It never returns.
func (m *Machine) shutdown(verb power.Verb) {
	m.down.Do(func() {
		m.stopBoot()
		m.Console.Printf("%s: going down", verb)
		m.noteVerb(verb)
		for _, r := range ladder {
			if m.Contained && r.machine {
				continue
			}
			begin := time.Now()
			r.do(m)
			if d := time.Since(begin); d > time.Second {
				m.Console.Printf("%s: %s took %.1fs", verb, r.name, d.Seconds())
			}
		}
		m.finish(verb)
	})
	select {}
}

// noteVerb tells the supervisor why it is stopped, which keeps it for the next
// boot.
func (m *Machine) noteVerb(verb power.Verb) {
	if m.timeline == nil {
		return // the boot did not come to where /run is
	}
	name := path.Join(path.Dir(timelineFile), "verb")
	m.warn("note what was asked for", os.WriteFile(name, []byte(verb), 0o600))
}

// finish calls reboot(2), after everything written has left through the consoles.
func (m *Machine) finish(verb power.Verb) {
	m.Console.Printf("%s", verb)
	m.Console.Drain(flushLimit)
	err := verb.Now()
	if m.Contained && errors.Is(err, unix.EPERM) {
		// A container without CAP_SYS_BOOT ends with its PID 1.
		os.Exit(0)
	}
	m.warn("end", err)
	if verb != power.Halt {
		m.warn("end", power.Reboot.Now())
	}
}

// runShutdownScripts runs /etc/shutdown.d while the services are still up, as
// LinuxKit does: an onshutdown container may want to talk to them.
func (m *Machine) runShutdownScripts() {
	ctx, cancel := within(scriptsLimit, stepsFile)
	defer cancel()
	m.runScripts(ctx, shutdownDir)
}

// stopServices has the supervisor stop them.
func (m *Machine) stopServices() {
	if m.supervisor == nil {
		return
	}
	ctx, cancel := within(supervisorLimit, servicesFile)
	defer cancel()
	begin := time.Now()
	if !m.supervisor.end(ctx) {
		m.Console.Printf("supervisor: still there after %s", time.Since(begin).Round(time.Second))
	}
}

// endProcesses ends what is left, without waiting longer than need be.
func (m *Machine) endProcesses() {
	if os.Getpid() != 1 {
		// kill(-1) would reach processes that are not below this one.
		return
	}
	for _, round := range []struct {
		signal unix.Signal
		limit  time.Duration
	}{{unix.SIGTERM, termLimit}, {unix.SIGKILL, killLimit}} {
		err := unix.Kill(-1, round.signal)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			m.warn("end processes", err)
		}
		// A stopped process would sit on its SIGTERM.
		if err := unix.Kill(-1, unix.SIGCONT); err != nil && !errors.Is(err, unix.ESRCH) {
			m.warn("continue processes", err)
		}
		if m.children.gone(round.limit) {
			return
		}
		m.Console.Printf("still there %s after %s: %s", round.limit, unix.SignalName(round.signal), processNames())
	}
}

// leaveFilesystems brings everything that was written to its disk. It runs beside
// a time limit, because a disk that went away blocks whoever touches it.
func (m *Machine) leaveFilesystems() {
	done := make(chan struct{})
	go func() {
		defer m.guard("filesystems")
		defer close(done)
		m.warn("keep journal", carryJournal())
		unix.Sync()
		m.warn("leave filesystems", errors.Join(swapOff(), m.unmountAll()))
		unix.Sync()
	}()
	select {
	case <-done:
	case <-time.After(unmountLimit):
		m.Console.Printf("filesystems: given up after %s", unmountLimit)
	}
}

// carryJournal brings what was said last to the disk, if /var/log is on one.
func carryJournal() error {
	const to = "/var/log"
	if lasts, err := mount.Lasts(to); err != nil || !lasts {
		return err
	}
	boot, err := journal.BootID()
	if err != nil {
		return err
	}
	return journal.Carrier{From: journalFile, To: to, Boot: boot}.Carry()
}

// processNames lists what still runs, for the console.
func processNames() string {
	text := ""
	for _, p := range processes() {
		if p.user {
			text += fmt.Sprintf(" %d (%s)", p.pid, p.name)
		}
	}
	return text
}
