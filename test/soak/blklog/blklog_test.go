package blklog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// logOf makes a log of requests; a write's data is its number, over and over.
func logOf(entries ...Entry) []byte {
	sector := make([]byte, 512)
	put := func(b *bytes.Buffer, words ...uint64) {
		head := make([]byte, 512)
		for i, w := range words {
			binary.LittleEndian.PutUint64(head[8*i:], w)
		}
		b.Write(head)
	}
	var b bytes.Buffer
	put(&b, magic, version, uint64(len(entries)), 512)
	for i, e := range entries {
		put(&b, uint64(e.Offset/512), uint64(e.Size/512), e.Flags)
		for n := e.Size; n > 0 && e.Flags&Discard == 0; n -= 512 {
			for j := range sector {
				sector[j] = byte(i + 1)
			}
			b.Write(sector)
		}
	}
	return b.Bytes()
}

type disk []byte

func (d disk) WriteAt(p []byte, at int64) (int, error) { return copy(d[at:], p), nil }

func write(block int64) Entry { return Entry{Offset: block * 4096, Size: 4096} }

var flush = Entry{Flags: Flush}

// Whatever chance chooses, what was flushed is there, and a block holds nothing
// but what was once written to it.
func TestReplayKeepsWhatWasFlushed(t *testing.T) {
	data := logOf(write(0), write(1), flush, write(0), write(2), Entry{Offset: 3 * 4096, Size: 8192}, Entry{Offset: 0, Size: 4096, Flags: Discard})
	log, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(log.Entries) != 7 {
		t.Fatalf("%v, %+v", err, log)
	}
	lost, seen := 0, map[[5]byte]bool{}
	for seed := range 200 {
		d := make(disk, 5*4096)
		cut, err := log.Replay(d, len(log.Entries), rand.New(rand.NewPCG(uint64(seed), 0)))
		if err != nil || cut.Flushed != 2 || cut.Writes != 4 || cut.Discards != 1 {
			t.Fatalf("%+v, %v", cut, err)
		}
		lost += cut.Lost
		var is [5]byte
		for i := range is {
			is[i] = d[i*4096]
		}
		seen[is] = true
		if is[0] != 1 && is[0] != 4 || is[1] != 2 || is[2] != 0 && is[2] != 5 || is[3] != 0 && is[3] != 6 || is[4] != 0 && is[4] != 6 {
			t.Fatalf("seed %d left %v", seed, is)
		}
	}
	if len(seen) < 14 || lost == 0 { // of 16 that there are
		t.Errorf("only %d different disks, %d blocks lost", len(seen), lost)
	}
}

func TestReplayBeforeTheEnd(t *testing.T) {
	data := logOf(write(0), flush, write(1), flush)
	log, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	d := make(disk, 2*4096)
	if _, err := log.Replay(d, log.Until(log.Entries[1].End), rand.New(rand.NewPCG(1, 1))); err != nil || d[0] != 1 || d[4096] != 0 {
		t.Errorf("%d, %d, %v", d[0], d[4096], err)
	}
}

func TestReadOfABrokenLog(t *testing.T) {
	data := logOf(write(0), flush, write(1))
	cut := data[:len(data)-1]
	binary.LittleEndian.PutUint64(cut[16:], 2) // the superblock is written by flushes
	if log, err := Read(bytes.NewReader(cut), int64(len(cut))); err != nil || len(log.Entries) != 2 {
		t.Errorf("the last entry is not complete: %v", err)
	}
	binary.LittleEndian.PutUint64(cut[16:], 3)
	if _, err := Read(bytes.NewReader(cut), int64(len(cut))); !errors.Is(err, ErrHole) {
		t.Errorf("an entry is missing: %v", err)
	}
	for _, bad := range [][]byte{nil, make([]byte, 4096), data[:20]} {
		if _, err := Read(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("%d bytes are taken for a log", len(bad))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(logOf(write(0), flush, write(1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, e := range log.Entries {
			if e.End > int64(len(data)) {
				t.Errorf("%+v in %d bytes", e, len(data))
			}
		}
	})
}
