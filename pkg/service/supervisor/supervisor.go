// Package supervisor keeps the services of a machine as their policies say. It
// carries out what package state decides and brings back what became of it.
//
// One goroutine, the loop, owns all that changes; everything that takes time
// runs beside it and comes back by posting a function. What is known of each
// service is on disk before it is acted upon, so that a supervisor that was
// killed has a successor that goes on in the same place (takeover.go).
package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/log/store"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/state"
)

// Config is what a Supervisor needs.
type Config struct {
	Guest  *guest.Guest
	Engine container.Runner
	// KeeperDir is where the ledger of exits is.
	KeeperDir string
	// Holder keeps the pipes of containers alive; nil: nobody does.
	Holder store.Holder
	// Up is called once, when all that runs is taken over; nil: nobody asks.
	Up func()
	// Ready is called once, when the first start of all services is over.
	Ready func()
	// Down is called once, when all services are stopped; nil: nobody asks. What
	// this process does after that may hang.
	Down func()
	// End asks for the end of the machine; nil is guest.End.
	End func(bundle.OnFailure) error
	// Emergency gives people at the console a shell, when a service's failure
	// has stopped the boot; nil: nobody does. It returns when ctx ends.
	Emergency func(ctx context.Context)
	// Slots bounds how many services start at a time; 0: twice the processors.
	Slots int
	// Clock is where the time comes from; nil: from the machine.
	Clock Clock

	bounds bounds // a test's; zero: those that a machine has
}

// Supervisor supervises.
type Supervisor struct {
	Config
	set      *state.Set
	bundles  map[string]*bundle.Bundle
	added    added
	counters map[string]*counters
	store    *stateFiles
	pump     *store.Pump
	log      *slog.Logger

	inbox chan func()
	reads chan struct{} // bundles that are being read, mostReads at a time
	ended chan struct{} // closed when the loop has ended
	lives map[string]*life

	timers map[timerKey]func() // each stops one
	taken  bool                // all of an earlier supervisor's services are taken over
	over   bool                // Ready was called
	held   bool                // a failed service's policy is to stop the boot
	// What the host has got of what it wants.
	settled, reporting bool
	tells              tells
	following          map[string]bool
	stopping           bool
	reminders          reminders
	unreported         map[string]bool // whose next start belongs to an end that was not reported
	ctx                context.Context
	book               book
	dog                *watchdog
	began              time.Time
	memory             memoryReports
}

type timerKey struct {
	name string
	kind state.Timeout
}

// New reads the bundles of the services. One that cannot be read is a service
// that fails, visibly.
func New(c Config) (*Supervisor, error) {
	if c.Slots == 0 {
		c.Slots = 2 * runtime.NumCPU()
	}
	if c.End == nil {
		c.End = guest.End
	}
	if c.Clock == nil {
		c.Clock = machineClock{}
	}
	c.bounds.fill()
	s := &Supervisor{
		Config: c, bundles: map[string]*bundle.Bundle{}, lives: map[string]*life{},
		counters: map[string]*counters{}, unreported: map[string]bool{}, began: c.Clock.Now(),
		reads: make(chan struct{}, mostReads), inbox: make(chan func(), 64), ended: make(chan struct{}),
		timers:    map[timerKey]func(){},
		reminders: reminders{waits: map[string]wait{}, pauses: map[string]time.Duration{}},
		log:       slog.New(guest.NewHandler(c.Guest)),
	}
	var err error
	if s.pump, err = store.NewPump(s.log); err != nil {
		return nil, err
	}
	if s.store, err = openStore(c.Guest.Paths); err != nil {
		return nil, err
	}
	return s, s.load()
}

func (s *Supervisor) load() error {
	dirs, err := s.directories()
	if err != nil {
		return err
	}
	config := state.Config{
		Policies: map[string]bundle.Policy{}, Faults: map[string]error{},
		Slots: s.Slots, Jitter: rand.Float64,
	}
	for name, dir := range dirs {
		b, err := s.readWithin(loadTime, dir)
		if err != nil {
			config.Faults[name] = err
			continue
		}
		for _, w := range b.Warnings {
			s.Guest.Say("services %s: warning: %s", name, w)
		}
		s.bundles[name] = b
		config.Policies[name] = b.Policy
	}
	s.set = state.New(config)
	s.checkLayers()
	return nil
}

// restTime is how long nothing has to happen before the memory that the last
// burst of events took is given back, once.
const restTime = 5 * time.Second

// Run supervises until ctx ends; then it stops all services and returns when
// they are down.
func (s *Supervisor) Run(ctx context.Context) error {
	defer close(s.ended)
	s.ctx = ctx
	for _, w := range s.Guest.Options.Wrong {
		s.Guest.Say("kernel command line: %s", w)
	}
	s.takeOver()
	s.taken = true
	server, err := s.serve()
	if err != nil {
		// The services matter more than being asked about them.
		s.Guest.Say("%s", err)
	} else {
		defer func() { s.check("control", "close", server.Close()) }()
	}
	if s.Up != nil {
		s.Up()
	}
	s.hearHost()
	s.report(s.submit(state.Event{Kind: state.Start}))
	s.openBook()
	s.dog = s.startWatchdog()
	go s.watchMemory()
	go s.watchMachine()
	s.tellLimit()
	s.loop(ctx)
	s.awaitTold()
	s.Guest.Say("services: all are stopped")
	s.handOut()
	if s.Down != nil {
		s.Down()
	}
	s.closeBook()
	return s.pump.Close()
}

// loop is where everything happens, one thing at a time.
func (s *Supervisor) loop(ctx context.Context) {
	stop := ctx.Done()
	rest := time.NewTimer(restTime)
	defer rest.Stop()
	for !s.stopping || !s.set.Idle() {
		select {
		case f := <-s.inbox:
			f()
			rest.Reset(restTime)
		case <-rest.C:
			debug.FreeOSMemory()
		case <-stop:
			stop = nil
			s.stopping = true
			// A boot that ends before it has settled has a timeline, too.
			s.tellHost(s.tellEnd, func() {})
			s.tellLimit()
			s.noteEnd(s.endOfMachine())
			s.report(s.submit(state.Event{Kind: state.Shutdown}))
			for name, l := range s.lives {
				if s.set.Peek(name).State == state.Cleaning {
					s.leaveBehind(l)
				}
			}
		}
	}
}

// handOut hands files out when nobody writes there any more. The watchdog is fed
// meanwhile, and others are answered.
func (s *Supervisor) handOut() {
	done := make(chan struct{})
	go func() { defer close(done); s.Guest.TellOutput() }()
	for {
		select {
		case f := <-s.inbox:
			f()
		case <-done:
			return
		}
	}
}

// post has f run by the loop. It is for goroutines that the loop has started.
func (s *Supervisor) post(f func()) {
	select {
	case s.inbox <- f:
	case <-s.ended:
	}
}

var errEnded = errors.New("the supervisor has ended")

// Do runs f in the loop and waits for it: the way in for others. Its errors are control.Unheard;
// f was not run, and is not any more then.
func (s *Supervisor) Do(ctx context.Context, f func()) error {
	var taken atomic.Bool // by the loop, or by who waits no longer
	done := make(chan struct{})
	do := func() {
		if !taken.Swap(true) {
			f()
			close(done)
		}
	}
	select {
	case s.inbox <- do:
	case <-s.ended:
		return control.Unheard{Err: errEnded}
	case <-ctx.Done():
		return control.Unheard{Err: context.Cause(ctx)}
	}
	var cause error
	select {
	case <-done:
		return nil
	case <-s.ended:
		cause = errEnded
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	if !taken.Swap(true) {
		return control.Unheard{Err: cause}
	}
	<-done // the loop is at it, or was
	return nil
}

// try is Do for what may be refused.
func (s *Supervisor) try(ctx context.Context, f func() error) error {
	var refused error
	if err := s.Do(ctx, func() { refused = f() }); err != nil {
		return err
	}
	return refused
}

// submit hands an event to the state machine and carries out its answer.
func (s *Supervisor) submit(e state.Event) error {
	r, err := s.set.Handle(s.Clock.Now(), e)
	s.carryOut(r)
	return err
}

// carryOut keeps what has changed, tells of it, and acts.
func (s *Supervisor) carryOut(r state.Result) {
	for _, name := range r.Dirty {
		rec, _ := s.set.Record(name)
		if err := s.store.save(rec); err != nil {
			s.log.Warn("state is not kept", "service", name, "err", err)
		}
	}
	for _, t := range r.Changes {
		s.dropTimers(t)
		s.count(t)
		s.store.note(t)
		s.tell(t)
	}
	for _, a := range r.Actions {
		s.act(a)
	}
	s.checkOver()
	s.trackWaits(r.Dirty...)
}
