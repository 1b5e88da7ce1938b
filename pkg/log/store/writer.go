package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/spool"
)

// Writer takes the output of one container, from before its creation until
// after its death.
//
//   - Open makes the pipes; Stdout and Stderr go to the container.
//   - Started closes this process's copies of these two.
//   - Close, after the container's death, takes what is left in the pipes.
//
// A process that finds the container running calls Attach in place of Open.
// Nothing of this waits for a disk, but Close, which gives one a moment.
type Writer struct {
	plan    plan
	opts    Options
	pump    *Pump
	own     bool // the pump is this Writer's
	log     *log
	streams []*stream
	ends    [3]*os.File
	closed  bool
}

// Open makes ready for a new run of the container.
func Open(b *bundle.Bundle, o Options) (*Writer, error) {
	w, err := prepare(b, o)
	if err != nil || w.plan.direct {
		return w, err
	}
	if err := w.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("open log of %s: %w", w.plan.at.Name, err), w.Close())
	}
	return w, nil
}

// Attach takes over the pipes of a container that was started by a process
// that is gone, those that there are: it may have died between making or
// dropping the two. Stdout and Stderr are nil then.
func Attach(b *bundle.Bundle, o Options) (*Writer, error) {
	w, err := prepare(b, o)
	if err != nil || w.plan.direct {
		return w, err
	}
	if err := w.goOn(); err != nil {
		return nil, errors.Join(fmt.Errorf("take over log of %s: %w", w.plan.at.Name, err), w.Close())
	}
	return w, nil
}

func (o Options) orDefault() Options {
	o.Paths = o.Paths.OrDefault()
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func prepare(b *bundle.Bundle, o Options) (w *Writer, err error) {
	o = o.orDefault()
	w = &Writer{opts: o, plan: planFor(b, o), pump: o.Pump}
	if w.plan.direct {
		return w, w.openDirect()
	}
	if w.pump == nil {
		if w.pump, err = NewPump(o.Log); err != nil {
			return nil, err
		}
		w.own = true
	}
	if w.log, err = w.pump.enter(w.plan, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open log of %s: %w", w.plan.at.Name, err), w.closePump())
	}
	for _, id := range layout.Streams {
		w.streams = append(w.streams, &stream{id: id, at: w.plan.at, spool: w.log.spool.Stream(id), fifo: -1})
	}
	return w, nil
}

// begin takes what the run before has left in its pipes, if nobody has yet, and
// makes new ones.
func (w *Writer) begin() error {
	for _, s := range w.streams {
		if err := w.salvage(s); err != nil {
			return err
		}
	}
	if err := w.log.spool.Run(); err != nil {
		w.opts.Log.Warn("note run of container", "container", w.plan.at.Name, "err", err)
	}
	for _, s := range w.streams {
		if err := w.makePipe(s); err != nil {
			return err
		}
	}
	w.carry()
	return nil
}

// carry has the files brought up to what is in memory.
func (w *Writer) carry() {
	if w.log.carry != nil {
		w.log.carry.lane.add(w.log.carry)
	}
}

// salvage takes what a dead run left in a pipe, which a Holder has kept.
func (w *Writer) salvage(s *stream) error {
	s.spool.Lock()
	defer s.spool.Unlock()
	w.openSinks(s)
	err := s.openFifo(false)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.drain(w.pump)
	return s.dropFifo(w.opts.Holder)
}

func (w *Writer) makePipe(s *stream) error {
	s.spool.Lock()
	defer s.spool.Unlock()
	if err := s.openFifo(true); err != nil {
		return err
	}
	end, err := openEnd(s.at.Fifo(s.id))
	if err != nil {
		return err
	}
	w.ends[s.id] = end
	if err := s.hold(w.opts.Holder); err != nil {
		w.opts.Log.Warn("hold pipe", "container", w.plan.at.Name, "err", err)
	}
	return w.pump.add(s)
}

// goOn takes over what a process that is gone has left.
func (w *Writer) goOn() error {
	for _, s := range w.streams {
		if err := w.takeOver(s); err != nil {
			return err
		}
	}
	w.carry()
	return nil
}

func (w *Writer) takeOver(s *stream) error {
	s.spool.Lock()
	defer s.spool.Unlock()
	w.openSinks(s)
	err := s.openFifo(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Not made yet, or dropped by a clean-up that was cut short.
	}
	if err != nil {
		return err
	}
	return w.pump.add(s)
}

// openSinks opens the places that output goes to from memory.
func (w *Writer) openSinks(s *stream) {
	if w.log.carry != nil && w.plan.carried {
		s.sinks = append(s.sinks, &fileSink{carry: w.log.carry, spool: s.spool})
	}
	k, err := w.plan.sink(s, w.opts)
	if err != nil {
		w.opts.Log.Warn("log goes to memory only", "container", w.plan.at.Name, "err", err)
	}
	if k != nil {
		s.sinks = append(s.sinks, k)
	}
}

// Stdout is what the container gets as its standard output.
func (w *Writer) Stdout() *os.File { return w.ends[layout.Stdout] }

// Stderr is what the container gets as its standard error.
func (w *Writer) Stderr() *os.File { return w.ends[layout.Stderr] }

// Started closes the ends that now are the container's. Close does it as well.
func (w *Writer) Started() error {
	var errs []error
	for i, f := range w.ends {
		if f != nil {
			errs = append(errs, f.Close())
		}
		w.ends[i] = nil
	}
	return errors.Join(errs...)
}

// Close takes what the dead container left in the pipes and closes everything.
// It waits for nobody who still holds the other end, and for a disk no longer
// than maxWait: what that has not taken by then is taken to it later.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.Started()
	if w.plan.direct {
		return err
	}
	if w.congested() {
		w.settle()
	}
	for _, s := range w.streams {
		err = errors.Join(err, w.closeStream(s))
	}
	if w.log.carry != nil {
		w.settle()
	}
	w.pump.leave(w.log, 1)
	return errors.Join(err, w.closePump())
}

// congested tells whether there may be no place for what is left in the pipes.
func (w *Writer) congested() bool {
	return w.log.carry != nil && slices.ContainsFunc(w.streams, func(s *stream) bool {
		s.spool.Lock()
		defer s.spool.Unlock()
		return s.spool.Behind() > spool.HighWater
	})
}

// settle gives the disk time to take what is left, if it takes anything.
func (w *Writer) settle() {
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	settled := w.log.carry.lane.settled(w.log.carry)
	if w.log.carry.lane.hangs() {
		return
	}
	select {
	case <-settled:
	case <-timeout.C:
	}
}

func (w *Writer) closePump() error {
	if !w.own {
		return nil
	}
	w.own = false
	return w.pump.Close()
}

func (w *Writer) closeStream(s *stream) error {
	s.spool.Lock()
	defer s.spool.Unlock()
	var errs []error
	if s.fifo >= 0 {
		s.drain(w.pump)
		w.pump.remove(s)
		errs = append(errs, s.dropFifo(w.opts.Holder))
	}
	if n, cause := s.spool.Losses(); n > 0 {
		w.opts.Log.Warn("output was lost", "log", s.name(), "bytes", n, "cause", cause)
	}
	for _, k := range s.sinks {
		errs = append(errs, k.Close())
		if n := k.Dropped(); n > 0 {
			w.opts.Log.Warn("output did not get through", "log", s.name(), "to", k, "bytes", n)
		}
	}
	s.sinks = nil
	return errors.Join(errs...)
}
