package store

import "time"

// segment says where the bytes [start, stop) of a stream lie: in the file with
// the inode number, from byte start-base on.
type segment struct {
	base, start, stop int64
	ino               uint32
}

// endless is the stop of a segment that is not over.
const endless = 1<<63 - 1

// segmentsMax bounds the files that are known of one stream.
const segmentsMax = 1024

// known is what the records of an index say together.
type known struct {
	run     int64
	segs    [3][]segment // by Stream, oldest first
	end     [3]int64     // by Stream: where the recorded bytes end
	id      uint32       // of the spool that they came from last
	spool   bool         // this is the index of that spool
	carried bool         // in a spool: they go on to files
	origin  [3]int64     // where the spool's offsets begin; at 0 of its runs
}

// note follows what a record changes.
func (k *known) note(r record) {
	s, end := r.Stream, r.Offset+int64(r.Length)
	switch r.Kind {
	case kindData:
		k.end[s] = max(k.end[s], end)
	case kindLost:
		k.lose(s, r.Offset, end)
	case kindRun:
		k.run = max(k.run, r.Offset)
	case kindSegment:
		k.begin(s, segment{r.Offset, r.Offset, endless, r.Length})
	case kindSpool:
		k.id, k.spool, k.carried = r.Length, true, r.Offset == 1
	case kindOrigin:
		k.id, k.origin[s] = r.Length, r.Offset
	}
}

// begin adds the file that holds a stream from now on. A file system gives the
// number of a removed file to a new one.
func (k *known) begin(s Stream, seg segment) {
	kept := k.segs[s][:0]
	for _, old := range k.segs[s] {
		if old.ino != seg.ino && old.start <= seg.start {
			old.stop = min(old.stop, seg.start)
			kept = append(kept, old)
		}
	}
	if len(kept) >= segmentsMax {
		kept = append(kept[:0], kept[len(kept)-segmentsMax/2:]...)
	}
	k.segs[s] = append(kept, seg)
	k.end[s] = max(k.end[s], seg.start)
}

// lose leaves a gap: behind it the file goes on where it was before it.
func (k *known) lose(s Stream, from, to int64) {
	segs := k.segs[s]
	k.end[s] = max(k.end[s], to)
	if len(segs) == 0 || to <= segs[len(segs)-1].start {
		return
	}
	last := &segs[len(segs)-1]
	switch {
	case last.start == from && last.base != from:
		// More of the loss before it.
		last.base, last.start = last.base+to-from, to
	default:
		last.stop = min(last.stop, from)
		k.segs[s] = append(segs, segment{last.base + to - from, to, endless, last.ino})
	}
}

// checkpoint is what has to be known of the past where an index begins anew.
func (k *known) checkpoint(now time.Time) []record {
	all := []record{{Kind: kindRun, Stream: Stdout, Offset: k.run, Time: now}}
	if k.id != 0 {
		all = append(all, k.source(now)...)
	}
	for _, s := range streamsOf {
		var before segment
		for _, seg := range k.segs[s] {
			if seg.base == seg.start || seg.ino != before.ino {
				all = append(all, record{Kind: kindSegment, Stream: s, Offset: seg.start, Length: seg.ino, Time: now})
			}
			for lost := seg.base - before.base; seg.base != seg.start && lost > 0; {
				n := min(lost, 1<<31)
				all = append(all, record{Kind: kindLost, Stream: s, Offset: seg.start - lost, Length: uint32(n), Time: now})
				lost -= n
			}
			before = seg
		}
		all = append(all, record{Kind: kindData, Stream: s, Offset: k.end[s], Time: now})
	}
	return all
}

// source says of what spool the bytes are.
func (k *known) source(now time.Time) []record {
	if k.spool {
		r := record{Kind: kindSpool, Length: k.id, Time: now}
		if k.carried {
			r.Offset = 1
		}
		return []record{r}
	}
	var all []record
	for s := range k.origin {
		all = append(all, record{Kind: kindOrigin, Stream: Stream(s), Offset: k.origin[s], Length: k.id, Time: now})
	}
	return all
}
