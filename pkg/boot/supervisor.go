package boot

import (
	"context"
	"os"
	"os/exec"
	"path"
	"sync"

	"slipway/pkg/keeper"
	"slipway/pkg/log/fdstore"
	"slipway/pkg/machine"
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
	m.mark(machine.Booting)
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
	_, err := keeper.KeepExits(path.Dir(timelineFile), m.children.reaper, func(err error) {
		m.warn("keep exit status", err)
	})
	return err
}

// keepPipes holds what containers have written and no supervisor has read yet,
// for the time between one supervisor and the next.
func (s *supervisor) keepPipes() error {
	store, err := fdstore.NewStore()
	if err != nil {
		return err
	}
	s.pipes = store.Child
	store.Warn = func(err error) { s.machine.warn("hold pipes of containers", err) }
	go func() {
		defer s.machine.guard("pipes of containers")
		s.machine.warn("hold pipes of containers", store.Serve())
	}()
	return nil
}

// keep runs it until it is told to stop; then it passes that on, so that services
// are stopped by their policy.
func (s *supervisor) keep() {
	defer s.machine.guard("supervisor")
	defer close(s.ended)
	k := &keeper.Keeper{
		Reaper: s.machine.children.reaper, Program: serviceProgram, Command: s.command,
		Ready: s.release, Say: s.machine.Console.Printf, Dir: machine.Run,
	}
	s.machine.warn("supervisor", k.Run(s.stop))
}

func (s *supervisor) command(program string) *exec.Cmd {
	cmd := s.machine.children.command([]string{serviceProgram, "supervise"})
	if program != serviceProgram {
		// The one before, which is held open here and nowhere else.
		cmd.Path, cmd.Args = program, []string{serviceProgram, "supervise"}
	}
	if s.pipes != nil {
		cmd.ExtraFiles = []*os.File{s.pipes}
	}
	s.machine.port.Hand(cmd, 1) // behind the pipe on which it speaks to its keeper
	return cmd
}

// release lets those go on who wait for the services. Only the first call counts.
func (s *supervisor) release() {
	s.once.Do(func() { close(s.ready) })
}

// end stops the supervisor and with it all services, and says whether it ended
// before ctx did.
func (s *supervisor) end(ctx context.Context) bool {
	s.stopNow()
	select {
	case <-s.ended:
		return true
	case <-ctx.Done():
		return false
	}
}
