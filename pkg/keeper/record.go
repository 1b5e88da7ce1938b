package keeper

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// Exit is one entry of the ledger.
type Exit struct {
	reap.Exit
	// At is when it was reaped, since the machine's start (CLOCK_BOOTTIME).
	At time.Duration
}

// A record is 40 bytes, little endian: sequence number, start time, time of
// reaping, pid, status as code<<8 | core<<7 | signal, and a CRC-32 of all that,
// because a reader may look while it is being written.
const (
	recordSize = 40
	checkedEnd = 32
)

func (e Exit) encode(seq uint64) []byte {
	b := make([]byte, recordSize)
	le := binary.LittleEndian
	le.PutUint64(b[0:], seq)
	le.PutUint64(b[8:], e.Start)
	le.PutUint64(b[16:], uint64(e.At))
	le.PutUint32(b[24:], uint32(e.Pid))
	le.PutUint32(b[28:], packStatus(e.Status))
	le.PutUint32(b[checkedEnd:], crc32.ChecksumIEEE(b[:checkedEnd]))
	return b
}

// decode returns false for a record that was never written or is torn.
func decode(b []byte) (seq uint64, e Exit, ok bool) {
	le := binary.LittleEndian
	if le.Uint32(b[checkedEnd:]) != crc32.ChecksumIEEE(b[:checkedEnd]) {
		return 0, Exit{}, false
	}
	seq = le.Uint64(b[0:])
	e.Start = le.Uint64(b[8:])
	e.At = time.Duration(le.Uint64(b[16:]))
	e.Pid = int(le.Uint32(b[24:]))
	e.Status = unpackStatus(le.Uint32(b[28:]))
	return seq, e, seq != 0
}

func packStatus(s reap.Status) uint32 {
	v := uint32(s.Code)<<8 | uint32(s.Signal)&0x7f
	if s.Core {
		v |= 0x80
	}
	return v
}

func unpackStatus(v uint32) reap.Status {
	return reap.Status{Code: int(v >> 8), Signal: unix.Signal(v & 0x7f), Core: v&0x80 != 0}
}

// sinceBoot is the time that goes on while the machine sleeps.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // cannot fail on Linux
	}
	return time.Duration(ts.Nano())
}
