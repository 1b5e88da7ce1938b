package sink

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Memlogd passes a stream on to LinuxKit's memlogd. It gets the reading end
// of a pipe in one datagram whose payload is the name of the log, and reads
// lines from it until the end of file. One that died gets a new pipe when it is
// there again.
type Memlogd struct {
	socket, name string

	fd    int // -1 while there is no memlogd
	tried time.Time
	wait  []byte // at most one chunk that the pipe had no room for
	stuck bool
	lost  int64
}

// memlogdWait bounds what waits for it.
const memlogdWait = 64 << 10

// redialTime is how often a memlogd that is gone is looked for, at most.
const redialTime = time.Second

func DialMemlogd(socket, name string) (*Memlogd, error) {
	m := &Memlogd{socket: socket, name: name, fd: -1}
	return m, m.dial()
}

func (m *Memlogd) dial() error {
	m.tried = time.Now()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pass log to memlogd: pipe: %w", err)
	}
	err := errors.Join(sendFd(m.socket, m.name, ends[0]), unix.Close(ends[0]), unix.SetNonblock(ends[1], true))
	if err != nil {
		return errors.Join(fmt.Errorf("pass log to memlogd: %w", err), unix.Close(ends[1]))
	}
	m.fd = ends[1]
	return nil
}

// sendFd sends one descriptor. It does not wait for a memlogd that does not
// take datagrams: the socket's queue is full then.
func sendFd(socket, payload string, fd int) error {
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = unix.Sendmsg(sock, []byte(payload), unix.UnixRights(fd), &unix.SockaddrUnix{Name: socket}, unix.MSG_NOSIGNAL)
	if err != nil {
		err = fmt.Errorf("send to %s: %w", socket, err)
	}
	return errors.Join(err, unix.Close(sock))
}

func (m *Memlogd) String() string { return "memlogd" }

func (m *Memlogd) Write(data []byte, _ int64) {
	m.redial()
	m.flush()
	if len(m.wait) == 0 {
		n := m.push(data)
		data = data[n:]
	}
	room := max(memlogdWait-len(m.wait), 0)
	keep := min(room, len(data))
	m.wait = append(m.wait, data[:keep]...)
	m.lost += int64(len(data) - keep)
}

// redial looks for a memlogd that is gone. Until it is there what fits waits.
func (m *Memlogd) redial() {
	if m.fd < 0 && time.Since(m.tried) >= redialTime && m.dial() != nil {
		return
	}
}

func (m *Memlogd) flush() {
	n := m.push(m.wait)
	m.wait = append(m.wait[:0], m.wait[n:]...)
	if len(m.wait) == 0 {
		m.wait = nil
	}
}

// push writes what the pipe takes at once.
func (m *Memlogd) push(data []byte) int {
	done := 0
	for done < len(data) && m.fd >= 0 {
		n, err := unix.Write(m.fd, data[done:])
		// Go turns SIGPIPE on such a descriptor into EPIPE.
		if errors.Is(err, unix.EPIPE) {
			m.hangUp()
		}
		if err != nil || n <= 0 {
			break
		}
		m.stuck = false
		done += n
	}
	return done
}

// hangUp gives up a memlogd that is gone.
func (m *Memlogd) hangUp() {
	if err := unix.Close(m.fd); err != nil {
		return
	}
	m.fd, m.tried = -1, time.Now()
}

func (m *Memlogd) Pending() bool  { return len(m.wait) > 0 && !m.stuck && m.fd >= 0 }
func (m *Memlogd) GiveUp()        { m.stuck = len(m.wait) > 0 }
func (m *Memlogd) Dropped() int64 { return m.lost }

func (m *Memlogd) Close() error {
	m.flush()
	m.lost += int64(len(m.wait))
	m.wait = nil
	if m.fd < 0 {
		return nil
	}
	return unix.Close(m.fd)
}
