package logs

import (
	"context"
	"errors"
	"iter"
	"os"
	"time"

	"slipway/pkg/bundle"
)

// Runs says of which runs of a container lines are wanted.
type Runs uint8

// The choices of runs.
const (
	AllRuns Runs = iota
	CurrentRun
	PreviousRun
)

// Query says which lines Read yields.
type Query struct {
	Runs   Runs
	Since  time.Time // no line that began before it
	Tail   int       // at most the last so many of those that are there; 0: all
	Follow bool      // then wait for more, until the context ends
}

// Read yields the lines of a container's log, oldest first, as they came from
// both of its streams. It needs no other process: it reads the files. folder is
// the bundle's name, such as "000-dhcp" or "sshd".
func Read(ctx context.Context, p Paths, s bundle.Section, folder string, q Query) iter.Seq2[Line, error] {
	return read(ctx, locate(p.orDefault(), s, folder), q)
}

func read(ctx context.Context, at places, q Query) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		r := &reader{ctx: ctx, at: at, q: q, src: newSource(at)}
		defer r.src.close()
		r.yield = func(l Line) bool { return yield(l, nil) }
		if err := r.walk(); err != nil && !errors.Is(err, errDone) {
			yield(Line{}, err)
		}
	}
}

// locate says where the log is: in files or, if that is younger, in memory. The
// two may share an index, so the files with the output tell.
func locate(p Paths, s bundle.Section, folder string) places {
	file, memory := p.section(s, folder), p.memory(s, folder)
	if memory.written().After(file.written()) {
		return memory
	}
	return file
}

// written is when something was last written there; zero for never.
func (at places) written() time.Time {
	var last time.Time
	for _, s := range streamsOf {
		if info, err := os.Stat(at.file(s)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// errDone ends the walk because nobody wants more lines.
var errDone = errors.New("no more lines wanted")

// reader walks the records of the index and cuts the bytes they stand for.
type reader struct {
	ctx   context.Context
	at    places
	q     Query
	yield func(Line) bool
	src   *source

	run, want int64 // number of the run being read, and the only one wanted or 0
	text      [3]assembler
	hold      bool // keep lines back, to yield the last ones only
	held      []Line
}

// assembler makes lines of the bytes of one stream.
type assembler struct {
	split splitter
	began time.Time // of the unfinished line
	next  int64     // offset expected
}

// walk goes over the index twice: first for what is known at its end, such as
// the number of the last run, then for the lines.
func (r *reader) walk() error {
	found, err := r.survey()
	if err != nil {
		return err
	}
	if !found && !r.q.Follow {
		return r.plain()
	}
	r.hold = r.q.Tail > 0
	ix, err := openIndexReader(r.at.index())
	if err != nil {
		return err
	}
	defer ix.close()
	if err := r.records(ix); err != nil {
		return err
	}
	if r.q.Follow {
		if err := r.release(); err != nil {
			return err
		}
		return r.follow(ix)
	}
	if err := r.endLines(); err != nil {
		return err
	}
	return r.release()
}

// survey reads the segments that are left and which run is wanted.
func (r *reader) survey() (found bool, err error) {
	ix, err := openIndexReader(r.at.index())
	if err != nil {
		return false, err
	}
	defer ix.close()
	var last int64
	for rec := range ix.all() {
		found = true
		switch rec.Kind {
		case kindRun:
			last = max(last, rec.Offset)
		case kindSegment:
			r.src.add(rec)
		}
	}
	switch r.q.Runs {
	case CurrentRun:
		r.want = last
	case PreviousRun:
		if r.want = last - 1; r.want < 1 {
			r.want = -1
		}
	}
	for _, s := range streamsOf {
		r.text[s] = assembler{split: splitter{max: MaxLine}, next: -1}
		if segs := r.src.segs[s]; len(segs) > 0 && r.want == 0 {
			r.text[s].next = segs[0].base
		}
	}
	return found, ix.err
}

func (r *reader) records(ix *indexReader) error {
	for rec := range ix.all() {
		if err := r.record(rec); err != nil {
			return err
		}
	}
	return ix.err
}

func (r *reader) record(rec record) error {
	if err := r.ctx.Err(); err != nil {
		return errDone
	}
	wanted := r.want == 0 || r.want == r.run
	switch rec.Kind {
	case kindRun:
		if rec.Offset == r.run {
			return nil
		}
		err := r.endLines()
		r.run = rec.Offset
		return err
	case kindSegment:
		r.src.add(rec)
	case kindLost:
		if wanted {
			return r.emit(Line{Time: rec.Time, Stream: rec.Stream, Lost: int64(rec.Length)})
		}
	case kindData:
		if rec.Length == 0 {
			return nil
		}
		if wanted {
			return r.data(rec)
		}
		r.text[rec.Stream].next = rec.Offset + int64(rec.Length)
	}
	return nil
}

// data cuts the bytes of one record into lines. What lies between the record
// before and this one has lost its own, and gets no time.
func (r *reader) data(rec record) error {
	a := &r.text[rec.Stream]
	if a.next >= 0 && a.next < rec.Offset {
		if err := r.bytes(rec.Stream, a.next, rec.Offset, time.Time{}); err != nil {
			return err
		}
	}
	end := rec.Offset + int64(rec.Length)
	a.next = end
	return r.bytes(rec.Stream, rec.Offset, end, rec.Time)
}

func (r *reader) bytes(s Stream, from, to int64, at time.Time) error {
	a := &r.text[s]
	var failed error
	emit := func(text []byte, part bool) {
		if failed == nil {
			failed = r.emit(Line{Time: a.began, Stream: s, Text: append([]byte(nil), text...), Part: part})
		}
		a.began = at
	}
	err := r.src.read(s, from, to, func(data []byte) error {
		if len(a.split.rest) == 0 {
			a.began = at
		}
		a.split.write(data, emit)
		return failed
	})
	return err
}

// endLines yields lines that have no newline yet, because a run is over.
func (r *reader) endLines() error {
	var failed error
	for _, s := range streamsOf {
		a := &r.text[s]
		a.split.end(func(text []byte, _ bool) {
			failed = errors.Join(failed, r.emit(Line{Time: a.began, Stream: s, Text: append([]byte(nil), text...)}))
		})
	}
	return failed
}

func (r *reader) emit(l Line) error {
	if !l.Time.IsZero() && l.Time.Before(r.q.Since) || l.Time.IsZero() && !r.q.Since.IsZero() {
		return nil
	}
	if r.hold {
		if len(r.held) == r.q.Tail {
			r.held = append(r.held[:0], r.held[1:]...)
		}
		r.held = append(r.held, l)
		return nil
	}
	if !r.yield(l) {
		return errDone
	}
	return nil
}

// release yields the lines that were kept back.
func (r *reader) release() error {
	r.hold = false
	for _, l := range r.held {
		if !r.yield(l) {
			return errDone
		}
	}
	r.held = nil
	return nil
}
