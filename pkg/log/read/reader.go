package read

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/line"
	"slipway/pkg/log/spool"
)

// errDone ends the walk because nobody wants more lines.
var errDone = errors.New("no more lines wanted")

// reader walks the records of the index and cuts the bytes they stand for.
type reader struct {
	ctx    context.Context
	at     layout.Places
	q      Query
	yield  func(Line) bool
	src    *source
	guard  *guard
	noDisk bool
	after  *[3]int64 // by Stream: nothing that is before it in the spool; nil: all

	run, want int64 // number of the run being read, and the only one wanted or 0
	text      [3]assembler
	hold      bool // keep lines back, to yield the last ones only
	held      []Line
	spooled   [3]atomic.Int64 // how far of the spool was read; 0: not known
}

// assembler makes lines of the bytes of one stream.
type assembler struct {
	split line.Splitter
	began time.Time // of the unfinished line
	next  int64     // offset expected; -1: any
	zeros int64     // bytes of a run of zeros that may be a hole
}

func newReader(ctx context.Context, at layout.Places, q Query) *reader {
	g := newGuard()
	r := &reader{ctx: ctx, at: at, q: q, src: newSource(at, g), guard: g}
	for _, s := range layout.Streams {
		r.text[s] = assembler{split: line.Splitter{Max: maxLine}, next: -1}
	}
	return r
}

// reached is how far of the spool the lines were read; nil if that is not known.
func (r *reader) reached() *[3]int64 {
	to := [3]int64{0, r.spooled[layout.Stdout].Load(), r.spooled[layout.Stderr].Load()}
	if to == [3]int64{} {
		return nil
	}
	return &to
}

// walk goes over the log: memory is looked at first, as what is not there any
// more is in the files by then.
func (r *reader) walk() error {
	if err := r.look(); err != nil {
		return err
	}
	r.hold = r.q.Tail > 0
	var ix *index.Reader
	var fault error // of the disk; what memory has comes all the same
	if r.noDisk {
		r.choose(0)
	} else if ix, fault = r.openIndex(); fault == nil {
		defer ix.Close()
		fault = r.disk(ix)
	}
	if errors.Is(fault, errDone) || fault != nil && r.src.snap == nil {
		return fault
	}
	if fault != nil {
		ix = nil
		r.choose(r.src.Run)
	}
	if err := r.memory(); err != nil {
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
	return errors.Join(r.release(), fault)
}

// look takes the snapshot.
func (r *reader) look() (err error) {
	r.src.snap, err = spool.Take(r.at)
	return err
}

// disk reads what the files have. It goes over the index twice: first for what
// is known at its end, such as the number of the last run, then for the lines.
func (r *reader) disk(ix *index.Reader) error {
	found := r.note(ix)
	var plain plainLog
	if !found && !r.q.Follow && ix.Err == nil {
		plain = r.openPlain()
		defer plain.close()
	}
	var behind []index.Record
	// Who carries the spool may just be beginning: what the files have and the index does not know is
	// nobody's only if the index does not come to know it. A beginning is a few records.
	for again := mostBeginnings; again > 0 && ix.Err == nil && !r.src.knowsSpool(); again-- {
		var err error
		if behind, err = r.src.beyond(); err != nil {
			return err
		}
		if !r.note(ix) {
			break
		}
		found = true
	}
	if ix.Err != nil {
		return ix.Err
	}
	behind = r.src.leftover(behind)
	r.choose(r.src.Run)
	if !found && !r.q.Follow {
		return r.plain(plain)
	}
	for _, s := range layout.Streams {
		if segs := r.src.Segs[s]; len(segs) > 0 && r.want == 0 {
			r.text[s].next = segs[0].Start
		}
	}
	ix.Rewind()
	if err := r.records(ix); err != nil {
		return err
	}
	for _, rec := range behind {
		if err := r.record(rec); err != nil {
			return err
		}
	}
	return nil
}

// mostBeginnings is more than the records that the files' index has of a beginning: files, what they had,
// and the spool.
const mostBeginnings = 20

// note takes in what the index says that was not read yet.
func (r *reader) note(ix *index.Reader) (found bool) {
	for rec := range ix.All() {
		found = true
		r.src.Note(rec)
	}
	return found
}

func (r *reader) openIndex() (*index.Reader, error) {
	r.src.guard.Begin()
	defer r.src.guard.End()
	ix, err := index.OpenReader(r.at.Index())
	if err == nil {
		ix.Guard = r.src.guard
	}
	return ix, err
}

// choose finds the number of the run that is wanted. onDisk is the last one that
// the files know.
func (r *reader) choose(onDisk int64) {
	r.src.match()
	last := onDisk
	if r.src.snap != nil {
		last = max(last, r.src.Origin[0]+r.src.snap.Run)
	}
	switch r.q.Runs {
	case CurrentRun:
		r.want = last
	case PreviousRun:
		if r.want = last - 1; r.want < 1 {
			r.want = -1
		}
	}
	for _, s := range layout.Streams {
		if r.after != nil {
			r.text[s].next = r.src.Origin[s] + r.after[s]
		}
	}
}

// memory reads what the spool has beyond the files.
func (r *reader) memory() error {
	if r.src.snap == nil {
		return nil
	}
	for _, rec := range r.src.snap.Records {
		if err := r.record(r.src.placed(rec)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) records(ix *index.Reader) error {
	for rec := range ix.All() {
		if err := r.record(rec); err != nil {
			return err
		}
	}
	return ix.Err
}

// record reads what a record tells of and was not read yet.
func (r *reader) record(rec index.Record) error {
	if r.ctx.Err() != nil {
		return errDone
	}
	switch rec.Kind {
	case index.KindRun:
		if rec.Offset <= r.run {
			return nil
		}
		err := r.endLines()
		r.run = rec.Offset
		return err
	case index.KindLost, index.KindData:
	default:
		return nil
	}
	a := &r.text[rec.Stream]
	end := rec.Offset + int64(rec.Length)
	if a.next < 0 {
		a.next = rec.Offset
	}
	if end <= a.next {
		return nil
	}
	from := a.next
	a.next = end
	if r.want != 0 && r.want != r.run {
		return nil
	}
	// What lies between the record before and this one has lost its own, and
	// gets no time.
	if from < rec.Offset {
		if err := r.bytes(rec.Stream, from, rec.Offset, time.Time{}); err != nil {
			return err
		}
		from = rec.Offset
	}
	var err error
	if rec.Kind == index.KindLost {
		err = r.gap(rec.Stream, end-from, rec.Time, false)
	} else {
		err = r.bytes(rec.Stream, from, end, rec.Time)
	}
	r.spooled[rec.Stream].Store(end - r.src.Origin[rec.Stream])
	return err
}

func (r *reader) bytes(s layout.Stream, from, to int64, at time.Time) error {
	return r.src.read(s, from, to, func(p piece) error {
		if p.data == nil {
			return r.gap(s, p.gone, at, p.hole)
		}
		return r.cut(s, p.data, at, p.former)
	})
}

// gap tells of bytes that are not there.
func (r *reader) gap(s layout.Stream, n int64, at time.Time, hole bool) error {
	if err := r.endZeros(s); err != nil {
		return err
	}
	return r.emit(Line{Time: at, Stream: s, Lost: n, Hole: hole})
}

// endLines yields lines that have no newline yet, because a run is over.
func (r *reader) endLines() error {
	for _, s := range layout.Streams {
		if err := r.endStream(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) endStream(s layout.Stream) error {
	if err := r.endZeros(s); err != nil {
		return err
	}
	return r.endLine(s)
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
