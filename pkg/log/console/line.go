package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// line is one device. Console.mu guards it, but for the device itself.
type line struct {
	name    string
	fd      int
	queue   [2]int // the pipe of what waits
	size    int    // what it holds
	busy    bool   // a goroutine moves it
	closed  bool
	moved   time.Time // when the device last took something
	dropped int64     // bytes dropped that it has not been told of
	slot    []byte    // where that is kept as well; nil: nowhere

	// device holds a token that whoever takes something out of queue has.
	device chan struct{}
	// reopened: it was hung up and opened again, and has taken nothing since.
	reopened bool
	// stuck: the last one who wanted the token did not get it in time.
	stuck bool
	// rest is what was taken out of queue for a device that knows no splice(2).
	rest []byte
}

// openLine opens a character device.
func openLine(path string) (*line, error) {
	l, err := newLine(path, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return nil, errors.Join(fmt.Errorf("%s is no character device", path), err, l.release())
	}
	return l, nil
}

// newLine opens a file of its own, so that not blocking is a matter of ours.
func newLine(path string, flags int) (*line, error) {
	fd, err := unix.Open(path, flags|unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l := &line{name: path, fd: fd, device: make(chan struct{}, 1)}
	if err := unix.Pipe2(l.queue[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: pipe: %w", path, err), unix.Close(fd))
	}
	l.widen()
	l.device <- struct{}{}
	return l, nil
}

// widen asks for a long queue; without the right to it the usual one does.
func (l *line) widen() {
	_, _ = unix.FcntlInt(uintptr(l.queue[1]), unix.F_SETPIPE_SZ, queueSize)
	size, err := unix.FcntlInt(uintptr(l.queue[1]), unix.F_GETPIPE_SZ, 0)
	if err == nil {
		l.size = size
	}
}

// waiting is how many bytes are in the queue.
func (l *line) waiting() int {
	if l.closed {
		return 0
	}
	n, err := unix.IoctlGetInt(l.queue[0], unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// put queues data as a whole or not at all, so that no half line is shown. The
// word that something was dropped comes before what is behind it.
func (l *line) put(data []byte) {
	l.catchUp()
	if l.dropped > 0 || !l.fits(len(data)) || !l.queued(data) {
		l.setDropped(l.dropped + int64(len(data)))
	}
}

// congested: more than half of the room is taken.
func (l *line) congested() bool { return l.waiting() > l.size/2 }

// fits tells whether there is room for more than a pipe takes as a whole by
// itself. It fills pages, and each may have some room left that is of no use.
func (l *line) fits(n int) bool { return n <= pipeBuf || l.waiting()+n <= l.size/2 }

// pending: it has something to take. Only whoever moves it, or starts that,
// may ask.
func (l *line) pending() bool { return l.waiting() > 0 || l.rest != nil || l.dropped > 0 }

func (l *line) setDropped(n int64) {
	l.dropped = n
	if l.slot != nil {
		binary.LittleEndian.PutUint64(l.slot, uint64(n))
	}
}

func (l *line) queued(data []byte) bool {
	for len(data) > 0 {
		n, err := unix.Write(l.queue[1], data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return false
		}
		data = data[n:]
	}
	return true
}

// catchUp tells what was dropped as soon as that is worth it.
func (l *line) catchUp() {
	if l.dropped > 0 && !l.congested() {
		l.tell()
	}
}

// tell queues the word that something was dropped.
func (l *line) tell() {
	if l.dropped > 0 && l.queued(fmt.Appendf(nil, "\nslipway: console: %d bytes dropped\n", l.dropped)) {
		l.setDropped(0)
	}
}

// push moves to the device what it takes at once.
func (l *line) push() int {
	if l.rest != nil {
		return l.pushRest()
	}
	n, err := unix.Splice(l.queue[0], nil, l.fd, nil, queueSize, unix.SPLICE_F_NONBLOCK)
	if errors.Is(err, unix.EIO) && l.reopen() {
		n, err = unix.Splice(l.queue[0], nil, l.fd, nil, queueSize, unix.SPLICE_F_NONBLOCK)
	}
	if errors.Is(err, unix.EINVAL) {
		return l.pushCopy()
	}
	if n > 0 {
		l.reopened = false
	}
	return int(n)
}

// pushCopy is for a file that knows no splice(2), such as one that is appended to.
func (l *line) pushCopy() int {
	buf := make([]byte, 16<<10)
	n, err := unix.Read(l.queue[0], buf)
	if err != nil || n <= 0 {
		return 0
	}
	l.rest = buf[:n]
	return l.pushRest()
}

func (l *line) pushRest() int {
	n, err := unix.Write(l.fd, l.rest)
	// A terminal that was hung up knows no splice(2) any more, so it comes here.
	if errors.Is(err, unix.EIO) && l.reopen() {
		n, err = unix.Write(l.fd, l.rest)
	}
	if err != nil || n <= 0 {
		return 0
	}
	l.reopened = false
	if l.rest = l.rest[n:]; len(l.rest) == 0 {
		l.rest = nil
	}
	return n
}

// reopen opens a terminal again that a session has hung up: when a getty ends,
// the kernel cuts off everybody who has its terminal open. Cut off twice in a
// row, with nothing taken between, it is left alone for a while.
func (l *line) reopen() bool {
	if l.reopened {
		l.reopened = false
		return false
	}
	l.reopened = true
	fd, err := unix.Open(l.name, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	// The number stays: somebody may wait for what it stands for.
	err = unix.Dup3(fd, l.fd, unix.O_CLOEXEC)
	return errors.Join(err, unix.Close(fd)) == nil
}

// release closes what is open.
func (l *line) release() error {
	return errors.Join(unix.Close(l.fd), unix.Close(l.queue[0]), unix.Close(l.queue[1]))
}
