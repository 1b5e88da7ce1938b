// Package index is what is written down beside the plain bytes of a log: when
// which range of a stream came, where a run of the container began, what was
// lost, and which file holds what.
//
// A spool has one, in memory, and so have the files that its bytes are carried
// to. Records have a checksum each, so what a power cut has left of one is known
// for what it is.
package index

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"slipway/pkg/log/layout"
)

// recordSize is the size of one record of the index on disk.
const recordSize = 24

// Kind is what a record tells of.
type Kind uint8

// The kinds of record.
const (
	// KindData: the bytes [Offset, Offset+Length) of a stream came at Time.
	KindData Kind = 1
	// KindRun: run number Offset of the container began. Records before it are
	// of earlier runs.
	KindRun Kind = 3
	// KindSegment: the file whose inode number ends in the 32 bits of Length
	// holds the stream from Offset on.
	KindSegment Kind = 4
	// KindLost: the bytes [Offset, Offset+Length) could not be kept. The file
	// goes on behind them without a hole.
	KindLost Kind = 5
	// KindSpool, in a spool: it has the number Length, and Offset is 1 if what
	// comes into it goes on to files.
	KindSpool Kind = 6
	// KindOrigin, with the files: what follows came from the spool with the
	// number Length, whose offset 0 of the stream is Offset here. For the stream
	// 0 it is the same of the numbers of runs.
	KindOrigin Kind = 7
)

// Record is one entry of an index. Offsets count the bytes of a stream from its
// very first, over all runs and files and the lost ones as well, so that they
// stay right when files are renamed and removed.
type Record struct {
	Kind   Kind
	Stream layout.Stream
	Length uint32
	Offset int64
	Time   time.Time
}

// append encodes r: kind, stream, 16 bits of checksum, length, offset, and
// nanoseconds since 1970, little endian.
func (r Record) append(to []byte) []byte {
	var b [recordSize]byte
	b[0], b[1] = byte(r.Kind), byte(r.Stream)
	binary.LittleEndian.PutUint32(b[4:], r.Length)
	binary.LittleEndian.PutUint64(b[8:], uint64(r.Offset))
	binary.LittleEndian.PutUint64(b[16:], uint64(r.Time.UnixNano()))
	binary.LittleEndian.PutUint16(b[2:], checksum(b))
	return append(to, b[:]...)
}

// parseRecord is false for what append did not write, such as the zeros that a
// power cut leaves behind.
func parseRecord(data []byte) (Record, bool) {
	if len(data) < recordSize {
		return Record{}, false
	}
	b := [recordSize]byte(data)
	r := Record{
		Kind:   Kind(b[0]),
		Stream: layout.Stream(b[1]),
		Length: binary.LittleEndian.Uint32(b[4:]),
		Offset: int64(binary.LittleEndian.Uint64(b[8:])),
		Time:   time.Unix(0, int64(binary.LittleEndian.Uint64(b[16:]))),
	}
	streamed := r.Stream == layout.Stdout || r.Stream == layout.Stderr
	ok := r.Kind >= KindData && r.Kind <= KindOrigin && r.Stream <= layout.Stderr && r.Offset >= 0 &&
		(streamed || r.Kind == KindSpool || r.Kind == KindOrigin) &&
		binary.LittleEndian.Uint16(b[2:]) == checksum(b)
	return r, ok
}

func checksum(b [recordSize]byte) uint16 {
	b[2], b[3] = 0, 0
	sum := crc32.ChecksumIEEE(b[:])
	return uint16(sum) ^ uint16(sum>>16)
}
