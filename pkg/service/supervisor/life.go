package supervisor

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"

	"slipway/pkg/bundle"
	"slipway/pkg/log/read"
	"slipway/pkg/log/store"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/run"
	"slipway/pkg/service/state"
)

// life is one run of a service, from its start until nothing is left of it.
// The loop owns it; goroutines get what they need when they are started.
type life struct {
	name      string
	run       int
	container run.Container // nil until it has started
	writer    *store.Writer
	notify    *probe.Notify
	cancel    context.CancelFunc // of the start, then of the waiting for its end
	stopProbe context.CancelFunc
	ranUntil  func(error) // enters the end of the run in the timeline
	tail      []string    // the last lines of a run that failed
	missed    atomic.Pointer[string]
}

// miss keeps why a probe does not find the service ready yet. It is called
// beside the loop.
func (l *life) miss(err error) {
	text := err.Error()
	l.missed.Store(&text)
}

// lastMiss is what was kept, or "".
func (l *life) lastMiss() string {
	if text := l.missed.Load(); text != nil {
		return *text
	}
	return ""
}

func (l *life) endProbes() {
	if l.stopProbe != nil {
		l.stopProbe()
		l.stopProbe = nil
	}
}

func (s *Supervisor) logOptions() store.Options {
	return store.Options{
		Paths: s.Host.Paths.Logs(), Pump: s.pump, Console: s.Host.Terminal,
		Holder: s.Holder, Log: s.log,
	}
}

// start brings one run up.
func (s *Supervisor) start(ctx context.Context, l *life) {
	b := s.bundles[l.name]
	w, n, c, err := s.launch(ctx, b)
	s.post(func() {
		l.writer, l.notify, l.container = w, n, c
		e := state.Event{Kind: state.StartFailed, Name: l.name, Run: l.run}
		if err != nil {
			e.Cause = strings.TrimPrefix(err.Error(), "services "+l.name+": ")
		} else {
			e.Kind, e.Proc = state.Started, c.Ident()
		}
		s.report(s.submit(e))
		if err == nil {
			s.await(l)
		}
	})
}

func (s *Supervisor) launch(ctx context.Context, b *bundle.Bundle) (w *store.Writer, n *probe.Notify, c run.Container, err error) {
	if n, err = s.listen(b); err != nil {
		return nil, nil, nil, err
	}
	if w, err = store.Open(b, s.logOptions()); err != nil {
		return nil, n, nil, err
	}
	c, err = s.Engine.Start(ctx, b, run.IO{Stdout: w.Stdout(), Stderr: w.Stderr()})
	if closeErr := w.Started(); closeErr != nil {
		s.log.Warn("close log of container", "service", b.Name, "err", closeErr)
	}
	if err != nil {
		return w, n, nil, err
	}
	return w, n, c, nil
}

// listen makes the socket of a service that says itself when it is ready. It
// has to be there before the service is.
func (s *Supervisor) listen(b *bundle.Bundle) (*probe.Notify, error) {
	if b.Policy.Ready.Kind != bundle.ProbeNotify {
		return nil, nil
	}
	n, err := run.Listen(s.Host.Paths, b.Name)
	if k, ok := s.Holder.(keepsSockets); ok && err == nil {
		// Without a copy elsewhere, what the service says to nobody is lost.
		if err := n.Keep(func(fd int) error { return k.HoldFd(notifyName(b.Name), fd) }); err != nil {
			s.log.Warn("keep notify socket", "service", b.Name, "err", err)
		}
	}
	return n, err
}

// keepsSockets is a Holder that gives back what it holds.
type keepsSockets interface {
	HoldFd(name string, fd int) error
	Take(name string) (*os.File, error)
}

func notifyName(name string) string { return "notify/" + name }

// closeNotify ends the listening, here and where the socket was kept.
func (s *Supervisor) closeNotify(name string, n *probe.Notify) error {
	if _, ok := s.Holder.(keepsSockets); ok && n != nil {
		return errors.Join(n.Close(), s.Holder.Release(notifyName(name)))
	}
	return n.Close()
}

// await brings the end of a run back.
func (s *Supervisor) await(l *life) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	c := l.container
	go func() {
		status, err := c.Wait(ctx)
		if ctx.Err() != nil {
			return
		}
		e := state.Event{Kind: state.Ended, Name: l.name, Run: l.run, Status: status}
		e.OOM = !status.Success() && run.OOMKilled(c)
		if err != nil {
			e.Cause = err.Error()
		}
		s.post(func() { s.report(s.submit(e)) })
	}()
}

// clean removes what a run has left. Its processes are ended before its log is
// closed: they may still have something to say.
func (s *Supervisor) clean(l *life) {
	var err error
	if l.container != nil {
		err = l.container.Cleanup()
	} else {
		err = s.Engine.Clean(s.bundles[l.name])
	}
	if l.writer != nil {
		err = errors.Join(err, l.writer.Close())
	}
	err = errors.Join(err, s.closeNotify(l.name, l.notify))
	tail := s.tailOf(l.name)
	s.post(func() {
		s.check(l.name, "clean up", err)
		l.tail = tail
		l.cancel()
		s.report(s.submit(state.Event{Kind: state.Cleaned, Name: l.name, Run: l.run}))
	})
}

// tailLines are shown of a run that failed.
const tailLines = 10

func (s *Supervisor) tailOf(name string) []string {
	lines, err := read.Tail(s.Host.Paths.Logs(), bundle.Services, name, tailLines)
	if err != nil {
		s.log.Warn("last lines", "service", name, "err", err)
	}
	var tail []string
	for _, line := range lines {
		tail = append(tail, line.Show())
	}
	return tail
}
