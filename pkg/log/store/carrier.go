package store

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/spool"
)

// carrier brings one container's spool to its files. One goroutine at a time
// uses it; see lane.
type carrier struct {
	at    layout.Places
	max   int64
	keep  int
	now   func() time.Time
	spool *spool.Reader
	id    uint32
	files *files
	next  [3]int64 // how far of each stream the files have all
	took  func(s layout.Stream, upto int64)
}

// carry brings all there is. After an error it can be called again: it goes on
// where the files are. step is called before each thing that may take its time.
func (c *carrier) carry(step func()) error {
	if err := c.open(); err != nil {
		return err
	}
	for r := range c.spool.Index.All() {
		step()
		err := c.record(r)
		switch {
		case errors.Is(err, unix.ENOSPC):
			c.spool.Index.Rewind()
			return err
		case err != nil:
			err = errors.Join(err, c.files.close())
			c.files = nil
			return err
		}
	}
	return c.spool.Index.Err
}

// open opens the files, if they are not. More than is in the spool can only
// come from others.
func (c *carrier) open() error {
	if c.files != nil {
		return nil
	}
	f, err := openFiles(c.at, c.max, c.keep, c.id, c.now)
	if err != nil {
		return err
	}
	for _, s := range layout.Streams {
		end, err := c.spool.Size(s)
		if err == nil && f.ix.End[s]-f.ix.Origin[s] > end {
			err = f.shift(s, f.ix.End[s]-end)
		}
		if err != nil {
			return errors.Join(err, f.close())
		}
	}
	c.files = f
	c.spool.Index.Rewind()
	for _, s := range layout.Streams {
		// What the files have is not read again.
		c.done(s, max(f.ix.End[s]-f.ix.Origin[s], 0))
	}
	return nil
}

// record brings what a record of the spool tells of. What lies before it and has
// lost its own comes with it.
func (c *carrier) record(r index.Record) error {
	switch r.Kind {
	case index.KindRun:
		return c.files.put(r, nil)
	case index.KindLost, index.KindData:
	default:
		return nil
	}
	s, end := r.Stream, r.Offset+int64(r.Length)
	if r.Kind == index.KindLost {
		if err := c.data(s, r.Offset, r.Time); err != nil {
			return err
		}
		r.Length = uint32(max(end-max(c.next[s], r.Offset), 0))
		r.Offset = end - int64(r.Length)
		if err := c.files.put(r, nil); err != nil {
			return err
		}
		c.done(s, end)
		return nil
	}
	return c.data(s, end, r.Time)
}

// data brings a stream up to an offset.
func (c *carrier) data(s layout.Stream, upto int64, at time.Time) error {
	buf := buffers.Get().(*[spool.Chunk]byte)
	defer buffers.Put(buf)
	for c.next[s] < upto {
		from := c.next[s]
		want := min(upto-from, spool.Chunk)
		data, begin, err := c.spool.Read(s, from, buf[:want])
		if err != nil {
			return err
		}
		for gone := begin - from; gone > 0; {
			n := min(gone, 1<<31)
			r := index.Record{Kind: index.KindLost, Stream: s, Offset: from, Length: uint32(n), Time: at}
			if err := c.files.put(r, nil); err != nil {
				return err
			}
			from, gone = from+n, gone-n
		}
		if len(data) == 0 && begin <= c.next[s] {
			return fmt.Errorf("read log: %s ends before its index says", c.at.Spool(s))
		}
		r := index.Record{Kind: index.KindData, Stream: s, Offset: from, Length: uint32(len(data)), Time: at}
		if err := c.files.put(r, data); err != nil {
			return err
		}
		c.done(s, from+int64(len(data)))
	}
	return nil
}

func (c *carrier) done(s layout.Stream, upto int64) {
	c.next[s] = max(c.next[s], upto)
	c.took(s, c.next[s])
}

func (c *carrier) close() error {
	c.spool.Index.Close()
	if c.files == nil {
		return nil
	}
	return c.files.close()
}
