package read

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
	"slipway/pkg/log/spool"
)

// source finds the bytes of a stream: in the files that hold it, by inode
// number, as their names change with every rotation, or in memory.
type source struct {
	index.Known // of the files
	at          layout.Places
	snap        *spool.Snapshot // nil: memory has nothing
	file        [3]*os.File     // of the segment read last
	ino         [3]uint32
	buf         []byte
	guard       index.Guard
}

// piece is a part of a stream: bytes, or a gap.
type piece struct {
	data   []byte
	former bool  // they were written in a former boot
	gone   int64 // nil data: so many bytes are not there
	hole   bool  // and should be
}

func newSource(at layout.Places, g index.Guard) *source { return &source{at: at, guard: g} }

func (s *source) close() {
	s.guard.End()
	for i, f := range s.file {
		if f != nil {
			f.Close() // Only read from: nothing can be lost.
		}
		s.file[i] = nil
	}
}

// match finds where the spool begins among what the files have. One that they do
// not know comes behind them.
func (s *source) match() {
	if s.snap != nil && s.snap.ID != s.ID {
		s.ID, s.Origin = s.snap.ID, [3]int64{s.Run, s.End[layout.Stdout], s.End[layout.Stderr]}
	}
}

// beyond finds what the last files have and the index does not know: a power cut
// has left it so, and nobody has begun a run since. What the spool brings there
// is known from the spool.
func (s *source) beyond() ([]index.Record, error) {
	s.guard.Begin()
	defer s.guard.End()
	var all []index.Record
	for _, id := range layout.Streams {
		if len(s.Segs[id]) == 0 {
			continue
		}
		seg := s.Segs[id][len(s.Segs[id])-1]
		f, err := s.open(id, seg)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		if n := min(seg.Base+info.Size()-s.End[id], 1<<31); n > 0 {
			all = append(all, index.Record{Kind: index.KindData, Stream: id, Offset: s.End[id], Length: uint32(n), Time: info.ModTime()})
		}
	}
	return all, nil
}

// leftover counts what beyond has found among what the files have.
func (s *source) leftover(all []index.Record) []index.Record {
	if s.knowsSpool() {
		return nil
	}
	for _, rec := range all {
		s.Note(rec)
	}
	return all
}

// knowsSpool tells whether the files have the beginning of what memory has.
func (s *source) knowsSpool() bool { return s.snap != nil && s.snap.ID == s.ID }

// placed is a record of the spool as the files would have it.
func (s *source) placed(r index.Record) index.Record {
	switch r.Kind {
	case index.KindRun:
		r.Offset += s.Origin[0]
	case index.KindData, index.KindLost:
		r.Offset += s.Origin[r.Stream]
	}
	return r
}

// read gives the bytes [from, to) of a stream piece by piece, without those
// whose file was rotated away.
func (s *source) read(id layout.Stream, from, to int64, give func(piece) error) error {
	for from < to {
		var p piece
		var next int64
		var err error
		if from >= s.End[id] {
			p, next = s.fromMemory(id, from, to)
		} else {
			p, next, err = s.fromFile(id, from, min(to, s.End[id]))
		}
		if err == nil && (p.data != nil || p.gone > 0) {
			err = give(p)
		}
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// fromMemory gives what the snapshot has from an offset on.
func (s *source) fromMemory(id layout.Stream, from, to int64) (piece, int64) {
	if s.snap == nil {
		return piece{}, to
	}
	origin := s.Origin[id]
	data, begin := s.snap.Bytes(id, from-origin, to-origin)
	if begin += origin; begin > from && (len(data) > 0 || begin == to) {
		p := piece{}
		if s.snap.Carried {
			p.gone = begin - from
		}
		return p, begin
	}
	if len(data) == 0 {
		return piece{}, to
	}
	return piece{data: data}, from + int64(len(data))
}

// fromFile gives what the files have from an offset on.
func (s *source) fromFile(id layout.Stream, from, to int64) (piece, int64, error) {
	if s.buf == nil {
		s.buf = make([]byte, 16<<10)
	}
	seg, end, ok := s.segment(id, from, to)
	if !ok {
		p := piece{}
		if seg.Ino != 0 {
			p = piece{gone: end - from, hole: true}
		}
		return p, end, nil
	}
	s.guard.Begin()
	defer s.guard.End()
	f, err := s.open(id, seg)
	if err != nil || f == nil {
		return piece{}, end, err
	}
	n, err := f.ReadAt(s.buf[:min(end-from, int64(len(s.buf)))], from-seg.Base)
	if n > 0 {
		return piece{data: s.buf[:n], former: s.isFormer(id, from)}, from + int64(n), nil
	}
	if !errors.Is(err, io.EOF) {
		return piece{}, end, fmt.Errorf("read log: %w", err)
	}
	p := piece{}
	if info, err := f.Stat(); err == nil && info.Size() > 0 { // else somebody has emptied it
		p = piece{gone: end - from, hole: true}
	}
	return p, end, nil
}

// isFormer tells whether a byte was there before the spool began that is there
// now: memory does not outlast a power cut.
func (s *source) isFormer(id layout.Stream, at int64) bool {
	return s.snap == nil || s.snap.ID != s.ID || at < s.Origin[id]
}

// segment finds the one that holds offset from, and where it ends. If there is
// none, end is where the next begins; it is given all the same if the gap is
// within a file.
func (s *source) segment(id layout.Stream, from, to int64) (seg index.Segment, end int64, ok bool) {
	for _, c := range s.Segs[id] {
		if c.Start > from {
			if seg.Ino != c.Ino {
				seg = index.Segment{}
			}
			return seg, min(to, c.Start), false
		}
		if from < c.Stop {
			return c, min(to, c.Stop), true
		}
		seg = c
	}
	return index.Segment{}, to, false
}

// open finds the file of a segment; nil if it is not there any more. Rotation
// moves files to higher numbers, so looking in this order misses none, but for
// gaps of one that a rotation makes while it works.
func (s *source) open(id layout.Stream, seg index.Segment) (*os.File, error) {
	if s.file[id] != nil && s.ino[id] == seg.Ino {
		return s.file[id], nil
	}
	path := s.at.File(id)
	for n, missing := -1, 0; missing < 3; n++ {
		name := path
		if n >= 0 {
			name = rotate.Old(path, n)
		}
		f, err := openIfInode(name, seg.Ino)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if s.file[id] != nil {
			s.file[id].Close() // Only read from.
		}
		s.file[id], s.ino[id] = f, seg.Ino
		return f, nil
	}
	return nil, nil
}

// openIfInode opens a file if its inode number ends in ino. What is no file is
// not one of ours, whatever it is.
func openIfInode(path string, ino uint32) (*os.File, error) {
	f, err := layout.OpenRegular(path, os.O_RDONLY, 0)
	if errors.Is(err, layout.ErrNotRegular) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(fmt.Errorf("stat %s: %w", path, err), f.Close())
	}
	if uint32(st.Ino) != ino {
		return nil, f.Close()
	}
	return f, nil
}
