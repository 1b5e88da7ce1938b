package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/rotate"
)

// Writer takes the output of one container, from before its creation until
// after its death.
//
//   - Open makes the pipes; Stdout and Stderr go to the container.
//   - Started closes this process's copies of these two.
//   - Close, after the container's death, takes what is left in the pipes.
//
// A process that finds the container running calls Attach in place of Open.
type Writer struct {
	plan    plan
	opts    Options
	pump    *Pump
	own     bool // the pump is this Writer's
	ix      *index
	streams []*stream
	start   [3]int64 // by Stream: where this run's output begins
	ends    [3]*os.File
	closed  bool
}

// Open makes ready for a new run of the container. Files of an earlier run are
// rotated away, not truncated, so that the output of the run that failed can be
// read after the restart.
func Open(b *bundle.Bundle, o Options) (*Writer, error) {
	w, err := prepare(b, o)
	if err != nil || w.plan.direct {
		return w, err
	}
	w.pump.mu.Lock()
	defer w.pump.mu.Unlock()
	if err := w.open(true); err != nil {
		return nil, errors.Join(fmt.Errorf("open log of %s: %w", w.plan.at.name, err), w.close())
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
	w.pump.mu.Lock()
	defer w.pump.mu.Unlock()
	if err := w.open(false); err != nil {
		return nil, errors.Join(fmt.Errorf("take over log of %s: %w", w.plan.at.name, err), w.close())
	}
	return w, nil
}

func prepare(b *bundle.Bundle, o Options) (*Writer, error) {
	o.Paths = o.Paths.orDefault()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Writer{opts: o, plan: planFor(b, o, rotate.Exists(o.Paths.Memlogd))}
	if w.plan.direct {
		return w, w.openDirect()
	}
	w.pump = o.Pump
	if w.pump != nil {
		return w, nil
	}
	var err error
	w.pump, err = NewPump(o.Log)
	w.own = true
	return w, err
}

// openDirect gives the container a file as it is.
func (w *Writer) openDirect() error {
	for _, s := range streamsOf {
		f, err := w.directFile()
		if err != nil {
			return errors.Join(fmt.Errorf("open log of %s: %w", w.plan.at.name, err), w.Started())
		}
		w.ends[s] = f
	}
	return nil
}

func (w *Writer) directFile() (*os.File, error) {
	if w.opts.Direct == nil {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	fd, err := unix.FcntlInt(w.opts.Direct.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", w.opts.Direct.Name(), err)
	}
	return os.NewFile(uintptr(fd), w.opts.Direct.Name()), nil
}

// open opens index, files and pipes. A new run first takes what the run before
// it has left in its pipes, if nobody has yet.
func (w *Writer) open(newRun bool) error {
	if err := w.openIndex(); err != nil {
		return err
	}
	if newRun {
		if err := w.salvage(); err != nil {
			return err
		}
	}
	kept := w.streams[:0]
	for _, s := range w.streams {
		err := w.openStream(s, newRun)
		if !newRun && errors.Is(err, fs.ErrNotExist) {
			// Not made yet, or dropped by a clean-up that was cut short.
			if err := s.closeFile(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		kept = append(kept, s)
	}
	w.streams = kept
	if !newRun {
		return nil
	}
	run := record{Kind: kindRun, Stream: Stdout, Offset: w.ix.run + 1, Time: w.opts.Now()}
	if err := w.ix.put(run); err != nil {
		w.opts.Log.Warn("note run of container", "container", w.plan.at.name, "err", err)
	}
	return nil
}

// openIndex opens the index, in memory if the folder of the logs cannot be
// written, and what belongs to it.
func (w *Writer) openIndex() error {
	ix, err := openIndex(w.plan.at.index(), w.plan.indexLimit)
	if err != nil && w.plan.at != w.plan.fallback {
		w.opts.Log.Warn("log is kept in memory only", "container", w.plan.at.name, "err", err)
		w.plan.at = w.plan.fallback
		ix, err = openIndex(w.plan.at.index(), w.plan.indexLimit)
	}
	if err != nil {
		return err
	}
	w.ix = ix
	for _, id := range streamsOf {
		s := &stream{id: id, at: w.plan.at, max: w.plan.max, keep: w.plan.keep, ix: ix, now: w.opts.Now, fifo: -1}
		w.streams = append(w.streams, s)
	}
	return nil
}

// salvage takes what a dead run left in its pipes, which a Holder has kept.
func (w *Writer) salvage() error {
	for _, s := range w.streams {
		err := s.openFifo(false)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		s.drain(w.pump)
		if err := errors.Join(s.closeFile(), s.dropFifo(w.opts.Holder)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) openStream(s *stream, newRun bool) error {
	if err := s.openFile(); err != nil {
		// The container runs all the same; each chunk tries again.
		w.opts.Log.Warn("open log", "container", w.plan.at.name, "err", err)
	} else if newRun && s.size > 0 {
		if err := s.rotate(); err != nil {
			w.opts.Log.Warn("rotate log", "container", w.plan.at.name, "err", err)
		}
	}
	w.start[s.id] = w.ix.end[s.id]
	if err := s.openFifo(newRun); err != nil {
		return err
	}
	if newRun {
		end, err := openEnd(s.at.fifo(s.id))
		if err != nil {
			return err
		}
		w.ends[s.id] = end
		if err := s.hold(w.opts.Holder); err != nil {
			w.opts.Log.Warn("hold pipe", "container", w.plan.at.name, "err", err)
		}
	}
	sinks, err := w.plan.sinks(s.id, w.opts)
	if err != nil {
		w.opts.Log.Warn("log goes to a file only", "container", w.plan.at.name, "err", err)
	}
	s.sinks = sinks
	return w.pump.add(s)
}

// Stdout is what the container gets as its standard output.
func (w *Writer) Stdout() *os.File { return w.ends[Stdout] }

// Stderr is what the container gets as its standard error.
func (w *Writer) Stderr() *os.File { return w.ends[Stderr] }

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

// Lost is the number of bytes of this run that could not be stored.
func (w *Writer) Lost() int64 {
	if w.pump == nil {
		return 0
	}
	w.pump.mu.Lock()
	defer w.pump.mu.Unlock()
	var n int64
	for _, s := range w.streams {
		n += s.lost
	}
	return n
}

// Close takes what the dead container left in the pipes and closes everything.
// It never waits for anybody who still holds the other end.
func (w *Writer) Close() error {
	if w.plan.direct {
		return w.Started()
	}
	w.pump.mu.Lock()
	err := w.finish()
	w.pump.mu.Unlock()
	if w.own && w.pump != nil {
		err = errors.Join(err, w.pump.Close())
		w.own = false
	}
	return err
}

// Leave closes everything and leaves pipes and what is in them to a successor:
// for a process that ends while the container runs on.
func (w *Writer) Leave() error {
	if w.plan.direct {
		return w.Started()
	}
	w.pump.mu.Lock()
	err := w.close()
	w.pump.mu.Unlock()
	if w.own && w.pump != nil {
		err = errors.Join(err, w.pump.Close())
		w.own = false
	}
	return err
}

func (w *Writer) finish() error {
	if w.closed {
		return nil
	}
	var errs []error
	for _, s := range w.streams {
		s.drain(w.pump)
		if s.lost > 0 {
			w.opts.Log.Warn("output was lost", "log", s.at.base(s.id), "bytes", s.lost, "cause", s.cause)
		}
		w.pump.remove(s)
		errs = append(errs, s.dropFifo(w.opts.Holder))
	}
	errs = append(errs, w.close())
	return errors.Join(errs...)
}

// close gives back what this process has open, in whatever state Open left it.
func (w *Writer) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	errs := []error{w.Started()}
	for _, s := range w.streams {
		errs = append(errs, w.closeStream(s))
	}
	if w.ix != nil {
		errs = append(errs, w.ix.close())
	}
	return errors.Join(errs...)
}

func (w *Writer) closeStream(s *stream) error {
	var errs []error
	if s.fifo >= 0 {
		if w.pump.streams[int32(s.fifo)] == s {
			w.pump.remove(s)
		}
		errs = append(errs, unix.Close(s.fifo))
		s.fifo = -1
	}
	for _, k := range s.sinks {
		errs = append(errs, k.close())
		if n := k.dropped(); n > 0 {
			w.opts.Log.Warn("output did not get through", "log", s.at.base(s.id), "to", k, "bytes", n)
		}
	}
	s.sinks = nil
	return errors.Join(append(errs, s.closeFile())...)
}
