package supervisor

import (
	"cmp"
	goruntime "runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/runtime"
	"slipway/pkg/service/hang"
	"slipway/pkg/service/state"
)

// bounds are how long what may hang in the kernel is waited for.
type bounds struct {
	// look is between two looks at a start that is under way: what does not get on
	// from one to the other hangs.
	look time.Duration
	// undo is what a start that is ended may take to undo what it has done. What takes
	// longer hangs: its place is for others then.
	undo time.Duration
	// clean is how long the end of the machine waits for a clean-up: what hangs is
	// PID 1's to leave.
	clean time.Duration
}

// fill sets what no test has set.
func (b *bounds) fill() {
	b.look = cmp.Or(b.look, 3*time.Second)
	b.undo = cmp.Or(b.undo, 20*time.Second)
	b.clean = cmp.Or(b.clean, 5*time.Second)
}

// startWatch is where a start is to be looked for: in the thread that makes it, and in
// the runtime that it waits for.
type startWatch struct{ thread, runtime atomic.Int64 }

// begin keeps the start in one thread until end.
func (w *startWatch) begin() (end func()) {
	goruntime.LockOSThread()
	w.thread.Store(int64(unix.Gettid()))
	return goruntime.UnlockOSThread
}

func (w *startWatch) calls(pid int) { w.runtime.Store(int64(pid)) }

func (w *startWatch) look(container string) hang.Look {
	var pids []int
	if pid := int(w.runtime.Load()); pid != 0 {
		pids = runtime.AtWork(container, pid)
	}
	return hang.Now(int(w.thread.Load()), pids)
}

// watchStart tells whether a start hangs in the kernel, each time that changes, until
// it is back.
func (s *Supervisor) watchStart(l *life, w *startWatch, back <-chan struct{}) {
	tick := time.NewTicker(s.bounds.look)
	defer tick.Stop()
	var last hang.Look
	reported := ""
	for {
		select {
		case <-back:
			return
		case <-tick.C:
		}
		now := w.look(l.name)
		in := now.Since(last)
		last = now
		if in == reported {
			continue
		}
		reported = in
		s.post(func() {
			s.report(s.submit(state.Event{Kind: state.StartHangs, Name: l.name, Run: l.run, Cause: in}))
		})
	}
}
