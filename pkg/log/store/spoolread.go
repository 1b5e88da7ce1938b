package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// spoolReader reads what another process, or another thread, puts into a spool.
// Nothing of it waits for a disk.
type spoolReader struct {
	at   places
	ix   *indexReader
	file [3]*os.File
}

func openSpoolReader(at places) (*spoolReader, error) {
	r := &spoolReader{at: at}
	var err error
	if r.ix, err = openIndexReader(at.spoolIndex()); err != nil {
		return nil, err
	}
	for _, s := range streamsOf {
		f, err := openRegular(at.spool(s), os.O_RDONLY, 0)
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

// reader reads beside whoever puts something into the spool, in the same process.
func (p *spool) reader() (*spoolReader, error) {
	ix, err := openIndexReader(p.at.spoolIndex())
	if err != nil {
		return nil, err
	}
	r := &spoolReader{at: p.at, ix: ix}
	for _, s := range streamsOf {
		r.file[s] = p.out[s].file
	}
	return r, nil
}

// read fills buf with what is kept of [at, at+len(buf)), and says where that
// begins: what is before has been given back.
func (r *spoolReader) read(s Stream, at int64, buf []byte) (data []byte, begin int64, err error) {
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

// size is the offset behind all that came.
func (r *spoolReader) size(s Stream) (int64, error) {
	if r.file[s] == nil {
		return 0, nil
	}
	info, err := r.file[s].Stat()
	if err != nil {
		return 0, fmt.Errorf("read log: %w", err)
	}
	return info.Size(), nil
}

func (r *spoolReader) close() error {
	var errs []error
	for _, f := range r.file {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	r.ix.close()
	return errors.Join(errs...)
}

// snapshot is all that a spool has at one moment.
type snapshot struct {
	known
	records []record
	begin   [3]int64
	data    [3][]byte
}

// takeSnapshot gives nil if there is no spool.
func takeSnapshot(at places) (*snapshot, error) {
	r, err := openSpoolReader(at)
	if err != nil {
		return nil, err
	}
	snap := &snapshot{}
	for rec := range r.ix.all() {
		snap.note(rec)
		snap.records = append(snap.records, rec)
	}
	err = r.ix.err
	for _, s := range streamsOf {
		if r.file[s] == nil || err != nil {
			continue
		}
		at := max(dataFrom(r.file[s], 0, snap.end[s]), snap.end[s]-2*spoolMax)
		snap.data[s], snap.begin[s], err = r.read(s, at, make([]byte, snap.end[s]-at))
	}
	if err := errors.Join(err, r.close()); err != nil {
		return nil, err
	}
	if len(snap.records) == 0 {
		return nil, nil
	}
	return snap, nil
}

// bytes are those that are kept of [from, to).
func (s *snapshot) bytes(id Stream, from, to int64) (data []byte, begin int64) {
	end := s.begin[id] + int64(len(s.data[id]))
	from, to = max(from, s.begin[id]), min(to, end)
	if from >= to {
		return nil, to
	}
	return s.data[id][from-s.begin[id] : to-s.begin[id]], from
}
