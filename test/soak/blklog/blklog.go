// Package blklog reads the log that QEMU's blklogwrites driver keeps of a disk,
// and makes of it disks as a power cut could have left them.
//
// The format is that of the kernel's dm-log-writes: a sector with the
// superblock, then for each request a sector with its head, and the data of a
// write behind it. All numbers are little endian.
package blklog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

// Flags of a request, as dm-log-writes numbers them.
const (
	Flush   = 1 << 0
	FUA     = 1 << 1
	Discard = 1 << 2
	Mark    = 1 << 3
)

const (
	magic   = 0x6a736677736872
	version = 1
	// A disk tears a write between blocks of this size, not inside one.
	block = 4096
	// maxWrite bounds one request; a guest's are a few megabytes at most.
	maxWrite = 64 << 20
)

// Entry is one request, when it was completed.
type Entry struct {
	Offset int64 // on the disk, in bytes
	Size   int64
	Flags  uint64
	At     int64 // of its data in the log
	End    int64 // of the entry in the log: the log had at least this length
}

// Log is the requests of a run in the order they were completed in.
type Log struct {
	Entries []Entry
	data    io.ReaderAt
	sector  int64
}

// Read reads the log of a run that may have been cut off: it ends before the
// first entry that is not complete.
func Read(r io.ReaderAt, size int64) (*Log, error) {
	var super [32]byte
	if _, err := r.ReadAt(super[:], 0); err != nil {
		return nil, fmt.Errorf("superblock of the log: %w", err)
	}
	if m, v := binary.LittleEndian.Uint64(super[:]), binary.LittleEndian.Uint64(super[8:]); m != magic || v != version {
		return nil, fmt.Errorf("superblock of the log: magic %#x, version %d", m, v)
	}
	l := &Log{data: r, sector: int64(binary.LittleEndian.Uint32(super[24:]))}
	if l.sector < 512 || l.sector > block || l.sector&(l.sector-1) != 0 {
		return nil, fmt.Errorf("superblock of the log: sectors of %d bytes", l.sector)
	}
	promised := binary.LittleEndian.Uint64(super[16:])
	for at := l.sector; at+l.sector <= size; {
		e, err := l.entry(at)
		if err != nil {
			return nil, err
		}
		if e.End > size || e.Flags == 0 && e.Size == 0 {
			break
		}
		l.Entries = append(l.Entries, e)
		at = e.End
	}
	if uint64(len(l.Entries)) < promised {
		return nil, fmt.Errorf("%w: %d of %d entries", ErrHole, len(l.Entries), promised)
	}
	return l, nil
}

// ErrHole says that QEMU was ended while it wrote an entry in front of others.
var ErrHole = errors.New("the log has a hole")

func (l *Log) entry(at int64) (Entry, error) {
	var head [32]byte
	if _, err := l.data.ReadAt(head[:], at); err != nil && !errors.Is(err, io.EOF) {
		return Entry{}, fmt.Errorf("entry at %d: %w", at, err)
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(head[8*i:]) }
	e := Entry{Flags: field(2), At: at + l.sector}
	if field(0) > 1<<50 || field(1) > maxWrite {
		return Entry{}, fmt.Errorf("entry at %d: sector %d, %d sectors", at, field(0), field(1))
	}
	e.Offset, e.Size = int64(field(0))*l.sector, int64(field(1))*l.sector
	e.End = e.At
	if e.Flags&(Discard|Mark) == 0 {
		e.End += e.Size
	}
	e.End += int64(field(3)) // of a mark
	return e, nil
}

// Until is how many entries a log had when it was so long.
func (l *Log) Until(size int64) int {
	for i, e := range l.Entries {
		if e.End > size {
			return i
		}
	}
	return len(l.Entries)
}

// Cut is what a power cut did to what was not flushed.
type Cut struct {
	Entries  int // requests that were completed before the cut
	Flushed  int // of these, those before the last flush
	Writes   int // blocks written after it
	Lost     int // of these blocks, those that never reached the disk
	Discards int // a discard may be done or not: here none is
}

// Replay writes to a copy of the disk, as it was before the run, what is there
// after a power cut behind the first n requests: everything up to the last
// flush, in order, and of what came later a part that chance chooses, block by
// block, in any order.
func (l *Log) Replay(disk io.WriterAt, n int, r *rand.Rand) (Cut, error) {
	c := Cut{Entries: n}
	for i, e := range l.Entries[:n] {
		if e.Flags&Flush != 0 {
			c.Flushed = i
		}
	}
	var loose []Entry
	for i, e := range l.Entries[:n] {
		switch {
		case e.Flags&Discard != 0:
			c.Discards++
		case e.Size == 0 || e.Flags&Mark != 0:
		case i < c.Flushed || e.Flags&FUA != 0:
			if err := l.write(disk, e); err != nil {
				return c, err
			}
		default:
			loose = append(loose, pieces(e)...)
		}
	}
	c.Writes = len(loose)
	if r.IntN(2) == 0 { // else in the order they were made, the last ones missing
		r.Shuffle(len(loose), func(i, j int) { loose[i], loose[j] = loose[j], loose[i] })
	}
	kept := loose[:r.IntN(len(loose)+1)]
	c.Lost = len(loose) - len(kept)
	for _, e := range kept {
		if err := l.write(disk, e); err != nil {
			return c, err
		}
	}
	return c, nil
}

// pieces tears a write at the borders of the disk's blocks.
func pieces(e Entry) (all []Entry) {
	for e.Size > 0 {
		n := min(block-e.Offset%block, e.Size)
		all = append(all, Entry{Offset: e.Offset, Size: n, Flags: e.Flags, At: e.At})
		e.Offset, e.At, e.Size = e.Offset+n, e.At+n, e.Size-n
	}
	return all
}

func (l *Log) write(disk io.WriterAt, e Entry) error {
	data := make([]byte, e.Size)
	if n, err := l.data.ReadAt(data, e.At); n < len(data) {
		return fmt.Errorf("data of the entry at %d: %w", e.At, err)
	}
	_, err := disk.WriteAt(data, e.Offset)
	return err
}
