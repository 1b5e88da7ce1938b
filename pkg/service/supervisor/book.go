package supervisor

import (
	"os"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/service/endings"
	"slipway/pkg/service/host"
)

// openBook begins to note how this boot ends, once, and tells how the last one
// did.
func (s *Supervisor) openBook() {
	if s.bookOpen {
		return
	}
	s.bookOpen = true
	book, last, err := endings.Open(s.Host.Paths.Var)
	s.report(err)
	s.book = book
	if last != nil {
		s.Host.Say("the last boot ended: %s", last.Reason)
		s.report(host.WriteJSON(s.Host.Paths.Own("last-boot.json"), last))
	}
}

// endOfMachine is what PID 1 was asked for, if it has left a word.
func (s *Supervisor) endOfMachine() string {
	verb, err := os.ReadFile(s.Host.Paths.Own("verb"))
	if err != nil {
		return "shutdown"
	}
	return strings.TrimSpace(string(verb)) + " was asked for"
}

// bootOver is the file that tells a later supervisor that there is no boot any
// more.
const bootOver = "boot-over"

// stopBoot carries out the policy of a service that was given up while the boot
// goes on. Afterwards there is no boot left to stop.
func (s *Supervisor) stopBoot(name string) {
	if _, err := os.Lstat(s.Host.Paths.Own(bootOver)); err == nil || s.held {
		return
	}
	s.held = true
	s.Host.Say("services %s: the boot is stopped", name)
	// With a report that ends the machine there is nobody to give a shell to.
	if s.Emergency != nil && s.Host.WantsReport() != host.ReportPoweroff {
		go s.Emergency(s.ctx)
	}
}

// giveUp carries out slipway.on-failure of a service that was given up.
func (s *Supervisor) giveUp(name, cause string) {
	policy := s.bundles[name].Policy.OnFailure
	if policy == bundle.Stop {
		s.stopBoot(name)
		return
	}
	s.Host.Say("services %s: failed, and its policy is to %s", name, policy)
	s.openBook()
	s.report(s.book.End(string(policy) + ", because service " + name + " failed: " + cause))
	s.check(name, string(policy), s.End(policy))
}

// noteTime is how long the note of why the machine ends may take to reach its
// disk.
const noteTime = time.Second

// noteEnd notes why the machine ends, if the disk takes it.
func (s *Supervisor) noteEnd() {
	noted := make(chan error, 1)
	why := s.endOfMachine()
	go func() { noted <- s.book.End(why) }()
	select {
	case err := <-noted:
		s.report(err)
	case <-time.After(noteTime):
		s.Host.Say("the note of why the machine ends does not reach its disk")
	}
}
