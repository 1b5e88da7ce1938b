package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
	"slipway/pkg/log/spool"
)

// files are the log of one container as LinuxKit knows it: a file with the plain
// bytes for each stream, rotated, and the index beside them. Whatever is done
// with them may wait for a disk, for ever.
//
// What is put into them has its place in the stream, so putting it again changes
// nothing, and how long the files are says how far they are.
type files struct {
	at   layout.Places
	max  int64 // bytes of a file
	keep int   // rotated files
	now  func() time.Time
	ix   *index.Index
	out  [3]outFile
}

// outFile is the file that a stream goes to now.
type outFile struct {
	file *os.File
	size int64
	torn bool // it does not end with a newline
}

// openFiles opens what there is, and notes that what comes is of a spool.
func openFiles(at layout.Places, max int64, keep int, spool uint32, now func() time.Time) (*files, error) {
	f := &files{at: at, max: max, keep: keep, now: now}
	if err := os.MkdirAll(at.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	var err error
	if f.ix, err = index.Open(at.Index(), index.Limit(max, keep)); err != nil {
		return nil, err
	}
	for _, s := range layout.Streams {
		if err := f.open(s); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	if f.ix.ID == spool {
		return f, nil
	}
	f.ix.ID, f.ix.Origin = spool, [3]int64{f.ix.Run, f.ix.End[layout.Stdout], f.ix.End[layout.Stderr]}
	if err := f.ix.Put(f.ix.Source(now())...); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// open opens the file that a stream goes to, and brings the index up to it.
func (f *files) open(s layout.Stream) error {
	path := f.at.File(s)
	file, err := layout.OpenRegular(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	o := &f.out[s]
	*o = outFile{file: file}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return fmt.Errorf("open log: stat %s: %w", path, err)
	}
	segs := f.ix.Segs[s]
	if len(segs) == 0 || segs[len(segs)-1].Ino != uint32(st.Ino) {
		if err := f.segment(s, uint32(st.Ino)); err != nil {
			return err
		}
	}
	return f.adopt(s, &st)
}

// segment notes that a file holds the stream from now on.
func (f *files) segment(s layout.Stream, ino uint32) error {
	return f.ix.Put(index.Record{Kind: index.KindSegment, Stream: s, Offset: f.ix.End[s], Length: ino, Time: f.now()})
}

// adopt accepts the file's size as it is. More than was known: a carrier was
// killed before it could note what it had written, or somebody else wrote.
// Less: somebody emptied it, or the power was cut before all was on the disk.
func (f *files) adopt(s layout.Stream, st *unix.Stat_t) error {
	o := &f.out[s]
	o.size = st.Size
	base := f.base(s)
	missing := f.ix.End[s] - base - o.size
	switch {
	case missing > 0 && o.size == 0:
		return f.segment(s, uint32(st.Ino))
	case missing > 0:
		r := index.Record{Kind: index.KindLost, Stream: s, Offset: base + o.size, Length: uint32(min(missing, 1<<31)), Time: f.now()}
		if err := f.ix.Put(r); err != nil {
			return err
		}
		return f.adopt(s, st)
	}
	if o.size > 0 {
		var last [1]byte
		_, err := o.file.ReadAt(last[:], o.size-1)
		o.torn = err != nil || last[0] != '\n'
	}
	return f.ix.Extend(s, base+o.size, time.Unix(st.Mtim.Unix()))
}

// base is the offset in the stream that byte 0 of the file would have.
func (f *files) base(s layout.Stream) int64 { return f.ix.Segs[s][len(f.ix.Segs[s])-1].Base }

// put brings one record of the spool into the files; data are its bytes.
func (f *files) put(r index.Record, data []byte) error {
	if r.Kind == index.KindRun {
		return f.run(f.ix.Origin[0]+r.Offset, r.Time)
	}
	if err := f.look(r.Stream); err != nil {
		return err
	}
	from := f.ix.Origin[r.Stream] + r.Offset
	known := min(max(f.ix.End[r.Stream]-from, 0), int64(r.Length))
	if known == int64(r.Length) {
		return nil
	}
	if r.Kind == index.KindLost {
		return f.ix.Lose(r.Stream, int64(r.Length)-known, r.Time)
	}
	return f.write(r.Stream, data[known:], r.Time)
}

// run begins a run with files of its own, so that the output of the run that
// failed can be read after the restart.
func (f *files) run(n int64, at time.Time) error {
	if n <= f.ix.Run {
		return nil
	}
	for _, s := range layout.Streams {
		if f.out[s].size == 0 {
			continue
		}
		if err := f.rotate(s); err != nil {
			return err
		}
	}
	return f.ix.Put(index.Record{Kind: index.KindRun, Stream: layout.Stdout, Offset: n, Time: at})
}

func (f *files) write(s layout.Stream, data []byte, at time.Time) error {
	o := &f.out[s]
	for len(data) > 0 {
		n := f.room(o, data)
		if n == 0 {
			if err := f.rotate(s); err != nil {
				return err
			}
			continue
		}
		// Not File.WriteAt: it does not tell of what was written before an error.
		n, err := unix.Pwrite(int(o.file.Fd()), data[:n], o.size)
		if n > 0 {
			o.size += int64(n)
			o.torn = data[n-1] != '\n'
			data = data[n:]
			err = errors.Join(err, f.ix.Extend(s, f.base(s)+o.size, at))
		}
		if err != nil {
			return fmt.Errorf("write log: %s: %w", f.at.File(s), err)
		}
	}
	return nil
}

// look sees whether somebody else has changed the file. What others write has a
// place in the stream too, and moves what comes from the spool.
func (f *files) look(s layout.Stream) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.out[s].file.Fd()), &st); err != nil {
		return fmt.Errorf("stat log: %w", err)
	}
	others := st.Size - f.out[s].size
	if others == 0 && f.base(s)+st.Size == f.ix.End[s] {
		return nil
	}
	if err := f.adopt(s, &st); err != nil || others <= 0 {
		return err
	}
	return f.shift(s, f.ix.Origin[s]+others)
}

// shift notes where the spool's offset 0 of a stream is now.
func (f *files) shift(s layout.Stream, origin int64) error {
	f.ix.Origin[s] = origin
	return f.ix.Put(f.ix.Source(f.now())...)
}

// room says how much of data may go into the file, so that it ends with a whole
// line and below its limit; 0: the next file is to begin.
func (f *files) room(o *outFile, data []byte) int {
	room := f.max - o.size
	if int64(len(data)) <= room {
		return len(data)
	}
	if cut := bytes.LastIndexByte(data[:max(room, 0)], '\n') + 1; cut > 0 {
		return cut
	}
	if o.size == 0 {
		return int(room) // A line longer than a file may be.
	}
	if o.torn && o.size < f.max+spool.Chunk {
		// It ends in a line that the container has not written at once.
		return bytes.IndexByte(data, '\n') + 1
	}
	return 0
}

// rotate begins a new file.
func (f *files) rotate(s layout.Stream) error {
	if err := f.out[s].file.Close(); err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	f.out[s].file = nil
	if err := rotate.Shift(f.at.File(s), f.keep); err != nil {
		return err
	}
	return f.open(s)
}

func (f *files) close() error {
	var errs []error
	for _, s := range layout.Streams {
		if file := f.out[s].file; file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(append(errs, f.ix.Close())...)
}
