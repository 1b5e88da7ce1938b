package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Holder keeps copies of descriptors for a process that may be killed.
type Holder interface {
	Hold(name string, f *os.File) error
	Release(name string) error
}

// kept is what makes a Console outlive its process: the names of its pipes, and
// a page of memory that says what Feed was about to do.
//
// A pipe takes up to pipeBuf bytes whole or not at all, and nobody takes
// something out of it while Feed is at work. So a successor, who finds there how
// much was in the pipe before and how much was to come, knows from what is in it
// whether that came.
type kept struct {
	dir    string
	holder Holder
	state  []byte // mapped; nil: there was no memory for it
	names  []string
}

// What lies where in the state, in bytes, little endian.
const (
	atValid   = 0   // 1 while Feed is at work
	atUpto    = 8   // the position that it will note
	atLen     = 16  // how much it queues
	atBefore  = 24  // for each line: how much was in its pipe
	atDropped = 128 // for each line: bytes dropped and not told
	atPath    = 256 // length, then where the position is noted
	atData    = 4096
	maxLines  = 13
	noLine    = 1<<32 - 1 // its device did not let go of the pipe
)

// Keep has what waits for the devices outlive this process, and goes on with
// what an earlier one has left. It is called before anything is written.
func (c *Console) Keep(dir string, h Holder) error {
	k := &kept{dir: dir, holder: h}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep console: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, l := range c.lines {
		errs = append(errs, k.adopt(l))
	}
	if len(c.lines) <= maxLines {
		errs = append(errs, k.open())
	}
	if k.state != nil {
		for i, l := range c.lines {
			l.slot = k.state[atDropped+8*i:][:8]
			l.dropped = int64(binary.LittleEndian.Uint64(l.slot))
		}
		errs = append(errs, k.finish(c.lines))
	}
	c.kept = k
	for _, l := range c.lines {
		c.start(l)
	}
	return errors.Join(errs...)
}

// adopt gives a line a pipe with a name, the one of an earlier process if there
// is one.
func (k *kept) adopt(l *line) error {
	name := "console-" + filepath.Base(l.name)
	path := filepath.Join(k.dir, name+".fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep console: %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("keep console: %w", err)
	}
	for _, fd := range l.queue {
		if err := unix.Dup3(int(f.Fd()), fd, unix.O_CLOEXEC); err != nil {
			return errors.Join(fmt.Errorf("keep console: %w", err), f.Close())
		}
	}
	l.widen()
	k.names = append(k.names, name)
	if k.holder != nil {
		err = k.holder.Hold(name, f)
	}
	return errors.Join(err, unix.SetNonblock(l.queue[0], true), f.Close())
}

// open maps the state, in memory that is there for certain.
func (k *kept) open() error {
	f, err := os.OpenFile(filepath.Join(k.dir, "console.state"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("keep console: %w", err)
	}
	defer f.Close() // nothing is written through it
	if err := unix.Fallocate(int(f.Fd()), 0, 0, atData+pipeBuf); err != nil {
		return fmt.Errorf("keep console: %w", err)
	}
	k.state, err = unix.Mmap(int(f.Fd()), 0, atData+pipeBuf, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("keep console: mmap: %w", err)
	}
	return nil
}

func (k *kept) valid() *uint32 { return (*uint32)(unsafe.Pointer(&k.state[atValid])) }

// begin notes what is about to be done.
func (k *kept) begin(lines []*line, mine []bool, data []byte, p *Position, upto int64) {
	le, s := binary.LittleEndian, k.state
	le.PutUint64(s[atUpto:], uint64(upto))
	le.PutUint32(s[atLen:], uint32(len(data)))
	for i, l := range lines {
		before := uint32(noLine)
		if mine[i] {
			before = uint32(l.waiting())
		}
		le.PutUint32(s[atBefore+4*i:], before)
	}
	le.PutUint32(s[atPath:], uint32(len(p.path)))
	copy(s[atPath+4:atData], p.path)
	copy(s[atData:], data)
	atomic.StoreUint32(k.valid(), 1)
}

// finish does what an earlier process had begun and not ended.
func (k *kept) finish(lines []*line) error {
	if atomic.LoadUint32(k.valid()) == 0 {
		return nil
	}
	le, s := binary.LittleEndian, k.state
	n := min(int(le.Uint32(s[atLen:])), pipeBuf)
	for i, l := range lines {
		if before := le.Uint32(s[atBefore+4*i:]); before != noLine && l.waiting() == int(before) {
			l.put(s[atData:][:n])
		}
	}
	path := string(s[atPath+4:][:min(int(le.Uint32(s[atPath:])), atData-atPath-4)])
	p, _, err := OpenPosition(path, 0)
	if err == nil {
		err = errors.Join(p.set(int64(le.Uint64(s[atUpto:]))), p.Close())
	}
	atomic.StoreUint32(k.valid(), 0)
	return err
}

func (k *kept) close() error {
	if k == nil {
		return nil
	}
	var errs []error
	for _, name := range k.names {
		errs = append(errs, os.Remove(filepath.Join(k.dir, name+".fifo")))
		if k.holder != nil {
			errs = append(errs, k.holder.Release(name))
		}
	}
	if k.state != nil {
		errs = append(errs, unix.Munmap(k.state), os.Remove(filepath.Join(k.dir, "console.state")))
	}
	return errors.Join(errs...)
}

// Position is how far a stream has been shown: a file of eight bytes.
type Position struct {
	path string
	file *os.File
}

// OpenPosition opens what is noted in a file, and notes first in one that is not
// there yet.
func OpenPosition(path string, first int64) (*Position, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("note what is shown: %w", err)
	}
	p := &Position{path: path, file: f}
	var b [8]byte
	if n, _ := f.ReadAt(b[:], 0); n == len(b) {
		return p, int64(binary.LittleEndian.Uint64(b[:])), nil
	}
	if err := p.set(first); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return p, first, nil
}

// set is one write of eight bytes, which is done or not.
func (p *Position) set(at int64) error {
	if _, err := p.file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(at)), 0); err != nil {
		return fmt.Errorf("note what is shown: %w", err)
	}
	return nil
}

// Close closes the file and leaves what it says.
func (p *Position) Close() error { return p.file.Close() }

// MaxFeed is the most that Feed takes at once.
const MaxFeed = pipeBuf

// tokenTime is how long Feed waits for a device to let go of its pipe, once.
const tokenTime = 100 * time.Millisecond

// Feed is Write for the bytes of a stream up to a position, which it notes. Over
// any number of kept Consoles each byte is queued once, whatever moment a
// process is killed at.
func (c *Console) Feed(data []byte, p *Position, upto int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || c.kept.state == nil || len(data) > pipeBuf || len(p.path) > atData-atPath-4 {
		for _, l := range c.lines {
			l.put(data)
			c.start(l)
		}
		return p.set(upto)
	}
	mine := make([]bool, len(c.lines))
	for i, l := range c.lines {
		mine[i] = l.seize()
		l.catchUp()
	}
	c.kept.begin(c.lines, mine, data, p, upto)
	for _, l := range c.lines {
		l.put(data)
	}
	err := p.set(upto)
	atomic.StoreUint32(c.kept.valid(), 0)
	for i, l := range c.lines {
		if mine[i] {
			l.device <- struct{}{}
		}
		c.start(l)
	}
	return err
}

// Drop counts bytes that were to be shown and are gone.
func (c *Console) Drop(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		l.setDropped(l.dropped + n)
		c.start(l)
	}
}

// seize takes the token, unless a device that hangs has it.
func (l *line) seize() bool {
	if l.stuck {
		return false
	}
	select {
	case <-l.device:
		return true
	default:
	}
	timeout := time.NewTimer(tokenTime)
	defer timeout.Stop()
	select {
	case <-l.device:
		return true
	case <-timeout.C:
		l.stuck = true
		return false
	}
}
