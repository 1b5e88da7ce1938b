package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
)

// Reader reads what another process, or another thread, puts into a spool.
// Nothing of it waits for a disk.
type Reader struct {
	// Index gives the records of what is there.
	Index *index.Reader
	file  [3]*os.File
}

func openReader(at layout.Places) (*Reader, error) {
	r := &Reader{}
	var err error
	if r.Index, err = index.OpenReader(at.SpoolIndex()); err != nil {
		return nil, err
	}
	for _, s := range layout.Streams {
		f, err := layout.OpenRegular(at.Spool(s), os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read log: %w", err), r.close())
		}
		r.file[s] = f
	}
	return r, nil
}

// Reader reads beside whoever puts something into the spool, in the same process.
func (p *Spool) Reader() (*Reader, error) {
	ix, err := index.OpenReader(p.At.SpoolIndex())
	if err != nil {
		return nil, err
	}
	r := &Reader{Index: ix}
	for _, s := range layout.Streams {
		r.file[s] = p.out[s].file
	}
	return r, nil
}

// Read fills buf with what is kept of [at, at+len(buf)), and says where that
// begins: what is before has been given back.
func (r *Reader) Read(s layout.Stream, at int64, buf []byte) (data []byte, begin int64, err error) {
	end := at + int64(len(buf))
	f := r.file[s]
	if f == nil {
		return nil, end, nil
	}
	n, err := f.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, end, fmt.Errorf("read log: %w", err)
	}
	// Asked for afterwards: it may have been given back meanwhile, and then
	// zeros were read.
	if begin = dataFrom(f, 0, end); begin <= at {
		return buf[:n], at, nil
	}
	return buf[min(begin-at, int64(n)):n], begin, nil
}

// Size is the offset behind all that came.
func (r *Reader) Size(s layout.Stream) (int64, error) {
	if r.file[s] == nil {
		return 0, nil
	}
	info, err := r.file[s].Stat()
	if err != nil {
		return 0, fmt.Errorf("read log: %w", err)
	}
	return info.Size(), nil
}

func (r *Reader) close() error {
	var errs []error
	for _, f := range r.file {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	r.Index.Close()
	return errors.Join(errs...)
}

// Snapshot is all that a spool has at one moment.
type Snapshot struct {
	index.Known
	Records []index.Record
	begin   [3]int64
	data    [3][]byte
}

// Take makes one; nil if there is no spool.
func Take(at layout.Places) (*Snapshot, error) {
	r, err := openReader(at)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{}
	for rec := range r.Index.All() {
		snap.Note(rec)
		snap.Records = append(snap.Records, rec)
	}
	err = r.Index.Err
	for _, s := range layout.Streams {
		if r.file[s] == nil || err != nil {
			continue
		}
		at := max(dataFrom(r.file[s], 0, snap.End[s]), snap.End[s]-2*Max)
		snap.data[s], snap.begin[s], err = r.Read(s, at, make([]byte, snap.End[s]-at))
	}
	if err := errors.Join(err, r.close()); err != nil {
		return nil, err
	}
	if len(snap.Records) == 0 {
		return nil, nil
	}
	return snap, nil
}

// Bytes are those that are kept of [from, to), and where they begin.
func (s *Snapshot) Bytes(id layout.Stream, from, to int64) (data []byte, begin int64) {
	end := s.begin[id] + int64(len(s.data[id]))
	from, to = max(from, s.begin[id]), min(to, end)
	if from >= to {
		return nil, to
	}
	return s.data[id][from-s.begin[id] : to-s.begin[id]], from
}
