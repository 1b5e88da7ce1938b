package supervisor

import (
	"slices"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/guest"
)

// killTime is what the kernel may take, beyond a service's own timeout, to end
// what was killed: as long as until it is killed again.
const killTime = 5 * time.Second

// stopLimit is how long it takes at most to stop all services: those that wait
// for others to be down first wait for all of them.
func (s *Supervisor) stopLimit() time.Duration {
	var longest time.Duration
	takes := map[string]time.Duration{}
	for _, name := range slices.Backward(s.set.Names()) {
		for _, user := range s.set.Graph().Behind(name) {
			takes[name] = max(takes[name], takes[user])
		}
		if b := s.bundles[name]; b != nil {
			takes[name] += b.Policy.StopTimeout + killTime
		}
		longest = max(longest, takes[name])
	}
	return longest
}

// tellLimit tells PID 1, from when on the services are known: a supervisor that
// hangs cannot tell any more.
func (s *Supervisor) tellLimit() {
	limit := s.stopLimit()
	if s.Guest.WantsOutput() > 0 {
		limit += guest.OutputTime
	}
	s.report(machine.WriteLimit(s.Guest.Paths.RunDir(), string(bundle.Services), limit))
}
