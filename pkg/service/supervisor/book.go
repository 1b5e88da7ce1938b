package supervisor

import (
	"slipway/pkg/service/endings"
	"slipway/pkg/service/host"
)

// openBook begins to note how this boot ends, and tells how the last one did.
func (s *Supervisor) openBook() {
	book, last, err := endings.Open(s.Host.Paths.Var)
	s.report(err)
	s.book = book
	if last != nil {
		s.Host.Say("the last boot ended: %s", last.Reason)
		s.report(host.WriteJSON(s.Host.Paths.Own("last-boot.json"), last))
	}
}
