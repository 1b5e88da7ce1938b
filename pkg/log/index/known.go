package index

import (
	"time"

	"slipway/pkg/log/layout"
)

// Segment says where the bytes [Start, Stop) of a stream lie: in the file with
// the inode number, from byte Start-Base on.
type Segment struct {
	Base, Start, Stop int64
	Ino               uint32
}

// endless is the stop of a segment that is not over.
const endless = 1<<63 - 1

// segmentsMax bounds the files that are known of one stream.
const segmentsMax = 1024

// Known is what the records of an index say together.
type Known struct {
	Run     int64        // number of the last run
	Segs    [3][]Segment // by Stream, oldest first
	End     [3]int64     // by Stream: where the recorded bytes end
	ID      uint32       // of the spool that they came from last
	IsSpool bool         // this is the index of that spool
	Carried bool         // in a spool: they go on to files
	Origin  [3]int64     // where the spool's offsets begin; at 0 of its runs
}

// Note follows what a record changes.
func (k *Known) Note(r Record) {
	s, end := r.Stream, r.Offset+int64(r.Length)
	switch r.Kind {
	case KindData:
		k.End[s] = max(k.End[s], end)
	case KindLost:
		k.lose(s, r.Offset, end)
	case KindRun:
		k.Run = max(k.Run, r.Offset)
	case KindSegment:
		k.begin(s, Segment{r.Offset, r.Offset, endless, r.Length})
	case KindSpool:
		k.ID, k.IsSpool, k.Carried = r.Length, true, r.Offset == 1
	case KindOrigin:
		k.ID, k.Origin[s] = r.Length, r.Offset
	}
}

// begin adds the file that holds a stream from now on. A file system gives the
// number of a removed file to a new one.
func (k *Known) begin(s layout.Stream, seg Segment) {
	kept := k.Segs[s][:0]
	for _, old := range k.Segs[s] {
		if old.Ino != seg.Ino && old.Start <= seg.Start {
			old.Stop = min(old.Stop, seg.Start)
			kept = append(kept, old)
		}
	}
	if len(kept) >= segmentsMax {
		kept = append(kept[:0], kept[len(kept)-segmentsMax/2:]...)
	}
	k.Segs[s] = append(kept, seg)
	k.End[s] = max(k.End[s], seg.Start)
}

// lose leaves a gap: behind it the file goes on where it was before it.
func (k *Known) lose(s layout.Stream, from, to int64) {
	segs := k.Segs[s]
	k.End[s] = max(k.End[s], to)
	if len(segs) == 0 || to <= segs[len(segs)-1].Start {
		return
	}
	last := &segs[len(segs)-1]
	switch {
	case last.Start == from && last.Base != from:
		// More of the loss before it.
		last.Base, last.Start = last.Base+to-from, to
	default:
		last.Stop = min(last.Stop, from)
		k.Segs[s] = append(segs, Segment{last.Base + to - from, to, endless, last.Ino})
	}
}

// checkpoint is what has to be known of the past where an index begins anew.
func (k *Known) checkpoint(now time.Time) []Record {
	all := []Record{{Kind: KindRun, Stream: layout.Stdout, Offset: k.Run, Time: now}}
	if k.ID != 0 {
		all = append(all, k.Source(now)...)
	}
	for _, s := range layout.Streams {
		var before Segment
		for _, seg := range k.Segs[s] {
			if seg.Base == seg.Start || seg.Ino != before.Ino {
				all = append(all, Record{Kind: KindSegment, Stream: s, Offset: seg.Start, Length: seg.Ino, Time: now})
			}
			for lost := seg.Base - before.Base; seg.Base != seg.Start && lost > 0; {
				n := min(lost, 1<<31)
				all = append(all, Record{Kind: KindLost, Stream: s, Offset: seg.Start - lost, Length: uint32(n), Time: now})
				lost -= n
			}
			before = seg
		}
		all = append(all, Record{Kind: KindData, Stream: s, Offset: k.End[s], Time: now})
	}
	return all
}

// Source says of what spool the bytes are.
func (k *Known) Source(now time.Time) []Record {
	if k.IsSpool {
		r := Record{Kind: KindSpool, Length: k.ID, Time: now}
		if k.Carried {
			r.Offset = 1
		}
		return []Record{r}
	}
	var all []Record
	for s := range k.Origin {
		all = append(all, Record{Kind: KindOrigin, Stream: layout.Stream(s), Offset: k.Origin[s], Length: k.ID, Time: now})
	}
	return all
}
