package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/log/read"
	"slipway/pkg/log/store"
	"slipway/pkg/service/probe"
	"slipway/pkg/service/state"
)

// life is one run of a service, from its start until nothing is left of it.
// The loop owns it; goroutines get what they need when they are started.
type life struct {
	name      string
	run       int
	container container.Instance // nil until it has started
	writer    *store.Writer
	notify    *probe.Notify
	cancel    context.CancelFunc // of the start, then of the waiting for its end
	stopProbe context.CancelFunc
	ranUntil  func(error) // enters the end of the run in the timeline
	// readyUntil enters the end of the wait for readiness.
	readyUntil func(error)
	tail       []string // the last lines of a run that failed
	err        error    // why it has not started
	failure    atomic.Pointer[string]
	killed     bool
	// starting is closed when a start that was given up has come back after all;
	// nil: it was not given up.
	starting chan struct{}
}

// noteFailure keeps why a probe does not find the service ready yet. It is called
// beside the loop.
func (l *life) noteFailure(err error) {
	text := err.Error()
	l.failure.Store(&text)
}

// lastFailure is what was kept, or "".
func (l *life) lastFailure() string {
	if text := l.failure.Load(); text != nil {
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
		Paths: s.Guest.Paths.Logs(), Pump: s.pump, Console: s.Guest.Terminal,
		Holder: s.Holder, Log: s.log,
	}
}

// launched is what came of a start.
type launched struct {
	writer    *store.Writer
	notify    *probe.Notify
	container container.Instance
	err       error
}

// start brings one run up, within its ready-timeout.
func (s *Supervisor) start(ctx context.Context, l *life, b *bundle.Bundle) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Policy.ReadyTimeout, fmt.Errorf("not started after %s", b.Policy.ReadyTimeout))
	defer cancel()
	over, back := make(chan launched, 1), make(chan struct{})
	w := &startWatch{}
	go func() {
		over <- s.launch(ctx, b, w)
		close(back)
	}()
	go s.watchStart(l, w, back)
	select {
	case r := <-over:
		s.post(func() { s.started(l, r) })
		return
	case <-ctx.Done():
	}
	late := make(chan struct{})
	defer s.Clock.AfterFunc(s.bounds.undo, func() { close(late) })()
	select {
	case r := <-over:
		s.post(func() { s.started(l, r) })
	case <-late:
		s.giveUpStart(l, context.Cause(ctx), over)
	}
}

func (s *Supervisor) started(l *life, r launched) {
	l.writer, l.notify, l.container, l.err = r.writer, r.notify, r.container, r.err
	e := state.Event{Kind: state.StartFailed, Name: l.name, Run: l.run}
	if r.err != nil {
		e.Cause = strings.TrimPrefix(r.err.Error(), "services "+l.name+": ")
	} else {
		e.Kind, e.Proc = state.Started, r.container.Ident()
	}
	s.report(s.submit(e))
	if r.err == nil {
		s.await(l)
	}
}

// giveUpStart fails a start that hangs. It is cleaned up when it comes back.
func (s *Supervisor) giveUpStart(l *life, why error, over <-chan launched) {
	back := make(chan struct{})
	s.post(func() {
		l.starting = back
		in := cmp.Or(s.set.Peek(l.name).Hangs, "waits in the kernel")
		s.report(s.submit(state.Event{
			Kind: state.StartFailed, Name: l.name, Run: l.run, Hangs: true,
			Cause: fmt.Sprintf("%s: its start hangs: %s", why, in),
		}))
	})
	r := <-over
	s.post(func() {
		l.writer, l.notify, l.container = r.writer, r.notify, r.container
		close(back)
	})
}

func (s *Supervisor) launch(ctx context.Context, b *bundle.Bundle, w *startWatch) (r launched) {
	defer w.begin()()
	if r.notify, r.err = s.listen(b); r.err != nil {
		return r
	}
	if r.writer, r.err = store.Open(b, s.logOptions()); r.err != nil {
		return r
	}
	c, err := s.Engine.Start(ctx, b, container.IO{Stdout: r.writer.Stdout(), Stderr: r.writer.Stderr(), Began: w.calls})
	if closeErr := r.writer.Started(); closeErr != nil {
		s.log.Warn("close log of container", "service", b.Name, "err", closeErr)
	}
	if r.err = err; err == nil {
		r.container = c
	}
	return r
}

// listen makes the socket of a service that says itself when it is ready. It
// has to be there before the service is.
func (s *Supervisor) listen(b *bundle.Bundle) (*probe.Notify, error) {
	if b.Policy.Ready.Kind != bundle.ProbeNotify {
		return nil, nil
	}
	n, err := probe.OpenNotify(s.Guest.Paths.RunDir(), b.Name)
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
		if e.OOM = !status.Success() && container.OOMKilled(c); e.OOM {
			e.Cause = container.OOMCause(c, status)
		}
		if err != nil {
			e.Cause = err.Error()
		}
		s.post(func() { s.report(s.submit(e)) })
	}()
}

// clean removes what a run has left. Its processes are ended before its log is
// closed: they may still have something to say. A start that still hangs is
// waited for: it would make anew what is taken away.
func (s *Supervisor) clean(l *life, b *bundle.Bundle, starting <-chan struct{}) {
	var err error
	if starting != nil {
		<-starting
	}
	if l.container != nil {
		err = l.container.Cleanup()
	} else {
		err = s.Engine.Clean(b)
	}
	if l.writer != nil {
		err = errors.Join(err, l.writer.Close())
	}
	err = errors.Join(err, s.closeNotify(l.name, l.notify))
	tail := s.tailOf(l.name)
	s.post(func() {
		s.check(l.name, "clean up", err)
		l.tail = tail
		s.cleaned(l)
	})
}

func (s *Supervisor) cleaned(l *life) {
	l.cancel()
	s.report(s.submit(state.Event{Kind: state.Cleaned, Name: l.name, Run: l.run}))
}

// leaveBehind goes on without a clean-up that does not come to its end.
func (s *Supervisor) leaveBehind(l *life) {
	s.Clock.AfterFunc(s.bounds.clean, func() {
		s.post(func() {
			if s.lives[l.name] == l && s.set.Peek(l.name).State == state.Cleaning {
				s.Guest.Say("services %s: its clean-up hangs, left behind", l.name)
				s.cleaned(l)
			}
		})
	})
}

// tailLines are shown of a run that failed.
const tailLines = 10

func (s *Supervisor) tailOf(name string) []string {
	lines, err := read.Tail(s.Guest.Paths.Logs(), bundle.Services, name, tailLines)
	if err != nil {
		s.log.Warn("last lines", "service", name, "err", err)
	}
	var tail []string
	for _, line := range lines {
		tail = append(tail, line.Show())
	}
	return tail
}
