package supervisor

import (
	"context"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/keeper"
	"slipway/pkg/log/store"
	"slipway/pkg/reap"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/state"
)

// takeOver goes on where an earlier supervisor was killed, if there was one.
func (s *Supervisor) takeOver() {
	records, err := s.store.load()
	s.report(err)
	if len(records) == 0 {
		return
	}
	s.report(s.store.catchUp(records))
	taken := 0
	for _, name := range s.set.Names() {
		rec, known := records[name]
		b := s.bundles[name]
		if !known || b == nil {
			continue
		}
		found, l := s.find(b, rec)
		if l != nil {
			s.lives[name] = l
		}
		s.carryOut(s.set.Restore(s.Clock.Now(), rec, found))
		s.trackWaits(name)
		if found.Running {
			taken++
			s.await(l)
		}
	}
	s.Guest.Say("services: a new supervisor has found %d running", taken)
}

// find looks at what is there of a service's last run, and takes hold of it.
func (s *Supervisor) find(b *bundle.Bundle, rec state.Record) (state.Found, *life) {
	if !rec.State.Busy() {
		// A disk may not have taken all of its last run.
		if err := s.pump.Resume(b, s.logOptions()); err != nil {
			s.log.Warn("go on with log", "service", b.Name, "err", err)
		}
		return state.Found{}, nil
	}
	l := &life{name: b.Name, run: rec.Run, cancel: func() {}}
	// A log that cannot be taken over must not cost the service its supervisor.
	w, err := store.Attach(b, s.logOptions())
	if err != nil {
		s.log.Warn("take over log", "service", b.Name, "err", err)
	} else {
		l.writer = w
	}
	if rec.State == state.Cleaning || rec.State == state.Starting {
		return state.Found{}, l
	}
	return s.hold(b, rec.Proc, l), l
}

// hold takes hold of a container by its first process.
func (s *Supervisor) hold(b *bundle.Bundle, id reap.Ident, l *life) state.Found {
	if id.Pid == 0 {
		return state.Found{}
	}
	c, err := s.Engine.Attach(b, id)
	if err != nil {
		s.log.Warn("take over container", "service", b.Name, "err", err)
		return state.Found{Ended: true, Cause: err.Error()}
	}
	l.container = c
	if id.Alive() {
		l.notify = s.listenAgain(b)
		return state.Found{Proc: id, Running: true}
	}
	return s.foundEnded(id, l)
}

// findStart finds what came of a start that was under way. A program that has
// not been started is nothing: then the start is made again. The runtime of the
// start may hang, so nobody else waits for this, and it is watched as one of ours.
func (s *Supervisor) findStart(ctx context.Context, l *life, b *bundle.Bundle) {
	w, back := &startWatch{}, make(chan struct{})
	end := w.begin()
	go s.watchStart(l, w, back)
	id, started, err := s.Engine.Find(ctx, b, w.calls)
	close(back)
	end()
	if err != nil {
		s.log.Warn("find container", "service", b.Name, "err", err)
	}
	if !started {
		id = reap.Ident{}
	}
	s.post(func() {
		found := s.hold(b, id, l)
		s.report(s.submit(state.Event{Kind: state.FoundStart, Name: l.name, Run: l.run, Found: found}))
		if found.Running {
			s.await(l)
		}
	})
}

func (s *Supervisor) foundEnded(id reap.Ident, l *life) state.Found {
	found := state.Found{Proc: id, Ended: true}
	exit, err := keeper.Wait(context.Background(), s.KeeperDir, id)
	if err != nil {
		found.Cause = err.Error()
		return found
	}
	found.Status = exit.Status
	if found.OOM = !exit.Status.Success() && container.OOMKilled(l.container); found.OOM {
		found.Cause = container.OOMCause(l.container, exit.Status)
	}
	return found
}

// listenAgain goes on with the socket that was kept, and what the service has
// said meanwhile, or puts a new one where the service will look for it.
func (s *Supervisor) listenAgain(b *bundle.Bundle) *probe.Notify {
	if k, ok := s.Holder.(keepsSockets); ok && b.Policy.Ready.Kind == bundle.ProbeNotify {
		if f, err := k.Take(notifyName(b.Name)); err == nil {
			return probe.AdoptNotify(f, probe.NotifySocket(s.Guest.Paths.RunDir(), b.Name))
		}
	}
	n, err := s.listen(b)
	if err != nil {
		s.log.Warn("listen for readiness", "service", b.Name, "err", err)
	}
	return n
}
