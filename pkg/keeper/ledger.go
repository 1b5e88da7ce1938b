package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
	"slipway/pkg/reap"
)

// slots bounds the ledger to 640 KB: 16384 orphans that end between the end of
// a container and the supervisor's look at it.
const slots = 16384

// ErrKept says that another process is the keeper already.
var ErrKept = errors.New("another process keeps the ledger")

// Ledger is the writing end: a ring of records, of which the first is a copy of
// the newest, so that a reader finds where the ring ends.
type Ledger struct {
	mu   sync.Mutex
	file *os.File
	seq  uint64
	// reserved is the last number whose record has its place in memory.
	reserved uint64
}

func ledgerPath(dir string) string { return filepath.Join(dir, machine.Exits) }

// Open opens the ledger in dir, usually machine.Run, for writing, and goes on
// where an earlier one ended. ErrKept: somebody else writes.
func Open(dir string) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	f, err := os.OpenFile(ledgerPath(dir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrKept
		}
		return nil, errors.Join(fmt.Errorf("open ledger: %w", err), f.Close())
	}
	l := &Ledger{file: f}
	l.seq, err = newest(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.reserve()
	return l, nil
}

// ahead is how many exits can be recorded while /run is full.
const ahead = 2048

// reserve takes space for what comes. Where that cannot be had, somebody has
// filled the memory; what was taken before is to outlast that.
func (l *Ledger) reserve() {
	if l.seq+ahead/2 < l.reserved {
		return
	}
	next := l.seq % slots
	err := unix.Fallocate(int(l.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, offset(next+1), recordSize*min(ahead, int64(slots-next)))
	if err == nil {
		l.reserved = l.seq + min(ahead, slots-next)
	}
}

// Record enters how an orphan ended. It is what reap.Reaper.OnOrphan calls.
func (l *Ledger) Record(e reap.Exit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserve()
	b := Exit{Exit: e, At: sinceBoot()}.encode(l.seq + 1)
	if _, err := l.file.WriteAt(b, offset(l.seq+1)); err != nil {
		return fmt.Errorf("record exit of process %d: %w", e.Pid, err)
	}
	l.seq++
	if _, err := l.file.WriteAt(b, 0); err != nil {
		return fmt.Errorf("record exit of process %d: %w", e.Pid, err)
	}
	return nil
}

// KeepExits opens the ledger in dir and has it enter every orphan that reaper
// reaps; fault hears of those that it cannot.
func KeepExits(dir string, reaper *reap.Reaper, fault func(error)) (*Ledger, error) {
	l, err := Open(dir)
	if err != nil {
		return nil, err
	}
	reaper.OnOrphan(func(e reap.Exit) {
		if err := l.Record(e); err != nil {
			fault(err)
		}
	})
	return l, nil
}

// Close ends the keeping.
func (l *Ledger) Close() error { return l.file.Close() }

func offset(seq uint64) int64 { return recordSize * (1 + int64((seq-1)%slots)) }

// newest is the sequence number of the last record, 0 if there is none. A head
// that is being written is read again: its writer may have been interrupted.
func newest(f *os.File) (uint64, error) {
	var b [recordSize]byte
	for range 1000 {
		n, err := f.ReadAt(b[:], 0)
		if n == 0 || b == [recordSize]byte{} {
			return 0, nil // the first record is behind the head, which follows
		}
		if n < recordSize {
			return 0, fmt.Errorf("read ledger: %w", err)
		}
		if seq, _, ok := decode(b[:]); ok {
			return seq, nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("read ledger: its head is broken")
}
