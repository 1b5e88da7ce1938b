package supervisor

import (
	"strings"
	"time"

	"slipway/pkg/service/state"
)

// Who waits longer than firstPatience is named, and again after twice the time.
const (
	firstPatience = 3 * time.Second
	lastPatience  = 5 * time.Minute
)

// mind sees to it that somebody who waits is named: it arms a timer when there
// is one, and takes it away when there is none, so that an idle machine sleeps.
func (s *Supervisor) mind() {
	waits := len(s.waiting()) > 0
	switch {
	case waits && s.patience == nil:
		s.remindIn(firstPatience)
	case !waits && s.patience != nil:
		s.patience.Stop()
		s.patience = nil
	}
}

// remind begins anew, when the reason to wait is a new one.
func (s *Supervisor) remind() {
	if s.patience != nil {
		s.patience.Stop()
		s.patience = nil
	}
	s.mind()
}

func (s *Supervisor) remindIn(d time.Duration) {
	s.patience = time.AfterFunc(d, func() {
		s.post(func() {
			if s.patience == nil {
				return
			}
			if who := s.waiting(); len(who) > 0 {
				s.Host.Say("waiting for %s", strings.Join(who, ", "))
			}
			s.remindIn(min(2*d, lastPatience))
		})
	})
}

// waiting lists who waits, and for what; on the way down, for whom we wait.
func (s *Supervisor) waiting() []string {
	var who []string
	for _, name := range s.set.Names() {
		rec, _ := s.set.Record(name)
		switch {
		case s.stopping && rec.State.Busy():
			who = append(who, name+" to stop ("+string(rec.State)+")")
		case s.stopping:
		case rec.State == state.Waiting && rec.Blocked != "":
			who = append(who, name+" (for "+rec.Blocked+")")
		case rec.State == state.Starting:
			who = append(who, name+" to start")
		case rec.State == state.Running && !rec.First:
			who = append(who, name+" to be ready")
		case rec.State == state.Stopping:
			who = append(who, name+" to stop")
		}
	}
	return who
}
