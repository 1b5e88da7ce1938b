package port

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNone says that this machine has no port of that name.
var ErrNone = errors.New("no port named " + Name)

// Port is the guest's side. A nil Port takes everything and says nothing.
type Port struct {
	file *os.File
	in   *Reader
	mu   sync.Mutex
}

// inherited names the descriptor that a parent has handed on.
const inherited = "SLIPWAY_PORT"

// Inherited is what the parent has handed on, or nil. Every program that may have
// been given it takes it, so that its own children do not.
func Inherited() *Port {
	fd, err := strconv.Atoi(os.Getenv(inherited))
	if err != nil || os.Unsetenv(inherited) != nil || !isPort(fd) {
		return nil
	}
	unix.CloseOnExec(fd)
	return newPort(fd)
}

// Open opens the port. The directories are /sys and /dev. While somebody else has it
// open the error is EBUSY.
func Open(sys, dev string) (*Port, error) {
	name, err := find(sys)
	if err != nil {
		return nil, err
	}
	// Not blocking: neither a host that does not read nor one that has nothing
	// to say may cost a thread.
	fd, err := unix.Open(filepath.Join(dev, name), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the port to the host: %w", err)
	}
	return newPort(fd), nil
}

func newPort(fd int) *Port { return New(os.NewFile(uintptr(fd), Name)) }

// New speaks over a file that does not block.
func New(f *os.File) *Port { return &Port{file: f, in: NewReader(f)} }

// isPort tells whether a descriptor can be one: a character device or, in tests,
// a socket. It does not block.
func isPort(fd int) bool {
	var st unix.Stat_t
	if fd < 3 || unix.Fstat(fd, &st) != nil {
		return false
	}
	kind := st.Mode & unix.S_IFMT
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0 && (kind == unix.S_IFCHR || kind == unix.S_IFSOCK)
}

func find(sys string) (string, error) {
	names, err := filepath.Glob(filepath.Join(sys, "class/virtio-ports/*/name"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil && strings.TrimSpace(string(data)) == Name {
			return filepath.Base(filepath.Dir(name)), nil
		}
	}
	return "", ErrNone
}

// The wait for a port's name is counted in pauses, two seconds of them, and not on a clock: a machine
// that stood still, because its host did, has waited for one of them.
const (
	namePause  = 5 * time.Millisecond
	namePauses = 400
)

// Await opens the port, waiting for a driver that has only just been loaded: its
// ports come, and get their names, by messages. It does not wait where no more
// are to come.
func Await(sys, dev string) (*Port, error) {
	for left := namePauses; ; left-- {
		coming := pending(sys)
		p, err := Open(sys, dev)
		if !errors.Is(err, ErrNone) || !coming || left == 0 {
			return p, err
		}
		time.Sleep(namePause)
	}
}

// multiport is VIRTIO_CONSOLE_F_MULTIPORT, a bit of a device's features: without
// it there is a console, and no ports with names.
const multiport = 1

// pending tells whether a device has no ports yet, or some without a name.
func pending(sys string) bool {
	devices, err := filepath.Glob(filepath.Join(sys, "bus/virtio/drivers/virtio_console/virtio*"))
	if err != nil {
		return false
	}
	for _, d := range devices {
		features, err := os.ReadFile(filepath.Join(d, "features"))
		if err != nil || len(features) <= multiport || features[multiport] != '1' {
			continue
		}
		ports, _ := filepath.Glob(filepath.Join(d, "virtio-ports/*"))
		names, _ := filepath.Glob(filepath.Join(d, "virtio-ports/*/name"))
		if len(ports) == 0 || len(names) < len(ports) {
			return true
		}
	}
	return false
}

// Hand gives a copy to a child, behind the files that it has already and a
// number of others that will go ahead of those.
func (p *Port) Hand(cmd *exec.Cmd, ahead int) {
	if p == nil {
		return
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", inherited, 3+ahead+len(cmd.ExtraFiles)))
	cmd.ExtraFiles = append(cmd.ExtraFiles, p.file)
}

// Send says something to the host. It waits no longer than limit for one that
// does not read.
func (p *Port) Send(m Message, limit time.Duration) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return Write(&patient{file: p.file, part: limit / patience, left: limit, now: time.Now}, m)
}

// patience is the number of parts of a limit. A machine that stood still, because its host did, finds a
// deadline passed that nobody has had the time to keep: then one part is over, and not all.
const patience = 10

// file is what of an *os.File a patient one needs.
type file interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// patient writes a message to a file that does not block. What is left of its limit is less after each
// write by the time that took, and by no more than a part.
type patient struct {
	file       file
	part, left time.Duration
	now        func() time.Time
}

func (p *patient) Write(data []byte) (done int, err error) {
	for {
		begin := p.now()
		if err := p.file.SetWriteDeadline(begin.Add(min(p.part, p.left))); err != nil {
			return done, err
		}
		n, err := p.file.Write(data[done:])
		done += n
		p.left -= min(p.now().Sub(begin), p.part)
		if !errors.Is(err, os.ErrDeadlineExceeded) || p.left <= 0 {
			return done, err
		}
	}
}

// Receive waits for what the host says.
func (p *Port) Receive() (Message, error) { return p.in.Next() }

// Close gives the port back.
func (p *Port) Close() error {
	if p == nil {
		return nil
	}
	return p.file.Close()
}

// HasPvpanic tells whether the kernel drives QEMU's pvpanic device.
func HasPvpanic(sys string) bool {
	found, err := filepath.Glob(filepath.Join(sys, "bus/*/drivers/pvpanic*/*:*"))
	return err == nil && len(found) > 0
}
