package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/logs/hold"
	"slipway/pkg/keeper"
	"slipway/pkg/reap"
)

// Pauses between two starts of a supervisor that keeps dying.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	// healthy is how long it has to live for the pause to be the first again.
	healthy = time.Minute
)

// supervisor is the child that runs the services. It is started once, and again
// whenever it dies: its containers run on meanwhile, and it finds them.
type supervisor struct {
	machine *Machine
	once    sync.Once
	ready   chan struct{} // closed when the services had their first start
	ended   chan struct{} // closed when it has ended for good
	pipes   *os.File      // its socket to the store of pipes; nil without one
	stop    context.Context
	stopNow context.CancelFunc
}

// startSupervisor starts it at its place among the scripts and waits until all
// services had their first start.
func (m *Machine) startSupervisor(ctx context.Context) {
	if m.supervisor != nil {
		// An image with LinuxKit's containerd entry and ours has two names for it.
		return
	}
	s := &supervisor{machine: m, ready: make(chan struct{}), ended: make(chan struct{})}
	s.stop, s.stopNow = context.WithCancel(context.Background())
	m.supervisor = s
	m.warn("keep exit statuses", m.keepExits())
	m.warn("keep pipes of containers", s.keepPipes())
	go s.keep()
	select {
	case <-s.ready:
	case <-ctx.Done():
	}
}

// keepExits enters how every orphan ends in the ledger where the supervisor looks
// for its containers, which are no children of its own.
func (m *Machine) keepExits() error {
	ledger, err := keeper.Open(path.Dir(timelineFile))
	if err != nil {
		return err
	}
	m.children.reaper.OnOrphan(func(e reap.Exit) { m.warn("keep exit status", ledger.Record(e)) })
	return nil
}

// keepPipes holds what containers have written and no supervisor has read yet,
// for the time between one supervisor and the next.
func (s *supervisor) keepPipes() error {
	store, err := hold.NewStore()
	if err != nil {
		return err
	}
	s.pipes = store.Child
	go func() {
		defer s.machine.guard("pipes of containers")
		s.machine.warn("hold pipes of containers", store.Serve())
	}()
	return nil
}

// keep runs it until it is told to stop.
func (s *supervisor) keep() {
	defer s.machine.guard("supervisor")
	defer close(s.ended)
	pause := firstPause
	for first := true; s.stop.Err() == nil; first = false {
		begin := time.Now()
		err := s.run()
		if first {
			// Whoever waits for the services must not wait for restarts as well.
			s.release()
		}
		if s.stop.Err() != nil {
			return
		}
		if time.Since(begin) > healthy {
			pause = firstPause
		}
		s.machine.Console.Printf("supervisor: ended (%v), starting again in %s", err, pause)
		select {
		case <-time.After(pause):
		case <-s.stop.Done():
		}
		pause = min(2*pause, longestPause)
	}
}

// run starts it once, hears when it is ready and waits for its end. When told to
// stop it passes that on, so that services are stopped by their policy.
func (s *supervisor) run() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	extra := []*os.File{w}
	if s.pipes != nil {
		extra = append(extra, s.pipes)
	}
	p, err := s.machine.children.start([]string{serviceProgram, "supervise"}, extra...)
	if err := errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, r.Close())
	}
	go s.hear(r)
	err = wait(s.stop, p)
	if s.stop.Err() == nil || !errors.Is(err, context.Canceled) {
		return ended(err)
	}
	if err := unix.Kill(p.Pid(), unix.SIGTERM); err != nil {
		return fmt.Errorf("stop supervisor: %w", err)
	}
	return ended(wait(context.Background(), p))
}

// ended words a clean exit, which is none that a supervisor should make.
func ended(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// hear waits for the line that says that all services had their first start. If
// the pipe is closed before, the supervisor died.
func (s *supervisor) hear(r *os.File) {
	defer r.Close()
	line := make([]byte, 16)
	n, err := r.Read(line)
	if n > 0 {
		s.release()
	} else if !errors.Is(err, io.EOF) {
		s.machine.warn("hear from supervisor", err)
	}
}

// release lets those go on who wait for the services. Only the first call counts.
func (s *supervisor) release() {
	s.once.Do(func() { close(s.ready) })
}

// end stops the supervisor and with it all services, and says whether it ended in
// time.
func (s *supervisor) end(limit time.Duration) bool {
	s.stopNow()
	select {
	case <-s.ended:
		return true
	case <-time.After(limit):
		return false
	}
}
