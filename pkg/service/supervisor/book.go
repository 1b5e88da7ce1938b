package supervisor

import (
	"os"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/guest"
)

// book is the note of how this boot ends. It lies on a disk, so all that is
// written there is written aside, and nobody waits for it.
type book struct {
	aside  guest.Aside
	opened bool
	note   *guest.EndingBook // what is done aside has it
}

// openBook begins to note how this boot ends, once, and tells how the last one
// did.
func (s *Supervisor) openBook() {
	if s.book.opened {
		return
	}
	s.book.opened = true
	s.book.aside.Do(func() {
		note, last, err := guest.OpenEnding(s.Guest.Paths.Var)
		s.report(err)
		s.book.note = note
		if last != nil {
			s.Guest.Say("the last boot ended: %s", last.Reason)
			s.report(machine.WriteJSON(s.Guest.Paths.RunDir("last-boot.json"), last))
		}
	})
}

// noteEnd notes why the boot ends.
func (s *Supervisor) noteEnd(reason string) {
	s.book.aside.Do(func() { s.report(s.book.note.End(reason)) })
}

// noteSuspect notes what may end the boot with no chance to say so.
func (s *Supervisor) noteSuspect(cause string) {
	s.book.aside.Do(func() { s.report(s.book.note.Suspect(cause)) })
}

// bookTime is how long a disk is given, at the end, to take what is noted.
const bookTime = 2 * time.Second

// closeBook waits for it.
func (s *Supervisor) closeBook() {
	if !s.book.aside.Wait(bookTime) {
		s.Guest.Say("services: the disk of %s takes no note of how this boot ends", s.Guest.Paths.Var)
	}
}

// endOfMachine is what PID 1 was asked for, if it has left a word.
func (s *Supervisor) endOfMachine() string {
	verb, err := os.ReadFile(s.Guest.Paths.RunDir(machine.VerbFile))
	if err != nil {
		return "shutdown"
	}
	return strings.TrimSpace(string(verb)) + " was asked for"
}

// stopBoot carries out the policy of a service that was given up while the boot
// goes on. Afterwards there is no boot left to stop.
func (s *Supervisor) stopBoot(name string) {
	if _, err := os.Lstat(s.Guest.Paths.RunDir(machine.Failed)); err == nil || s.held {
		return
	}
	s.held = true
	s.Guest.Say("services %s: the boot is stopped", name)
	// With a report that ends the machine there is nobody to give a shell to.
	if s.Emergency != nil && s.Guest.WantsReport() != guest.ReportPoweroff {
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
	s.Guest.Say("services %s: failed, and its policy is to %s", name, policy)
	s.openBook()
	s.noteEnd(string(policy) + ", because service " + name + " failed: " + cause)
	s.check(name, string(policy), s.End(policy))
}
