package sink

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/console"
	"slipway/pkg/log/layout"
	"slipway/test/poll"
)

// fifo is a pipe with a name, and its reading end.
func fifo(t *testing.T) (string, *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return path, r
}

// take reads that many bytes.
func take(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A line is a record: with its level, the container's name, nothing that a terminal
// obeys, and in pieces that the kernel takes.
func TestKmsg(t *testing.T) {
	for stream, level := range map[layout.Stream]string{layout.Stdout: "<14>", layout.Stderr: "<12>"} {
		path, r := fifo(t)
		k, err := OpenKmsg(path, "web", stream)
		if err != nil {
			t.Fatal(err)
		}
		k.Write([]byte("one\ntw"), 6)
		k.Write([]byte("o\x1b[2J\n"+strings.Repeat("x", kmsgMax+1)+"\nno end"), 0)
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		prefix := level + "web: "
		want := prefix + "one\n" + prefix + `two\x1b[2J` + "\n" + prefix + strings.Repeat("x", kmsgMax) + "\n" + prefix + "x\n" + prefix + "no end\n"
		if got := take(t, r, len(want)); got != want || k.Dropped() != 0 {
			t.Errorf("%q, want %q; %d dropped", got, want, k.Dropped())
		}
		// The last writer, which may be a goroutine still, has closed it.
		poll.Until(t, "closed", func() bool { _, err := r.Read(make([]byte, 1)); return errors.Is(err, io.EOF) })
	}
}

// What the kernel's log does not take is counted, without the name in front.
func TestKmsgThatIsFull(t *testing.T) {
	path, r := fifo(t)
	k, err := OpenKmsg(path, "web", layout.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	for full := []byte{0}; ; {
		if _, err := unix.Write(k.fd, full); err != nil {
			break
		}
	}
	k.Write([]byte("lost\n"), 5)
	poll.Until(t, "counted", func() bool { return k.Dropped() == 5 })
	if k.Pending() {
		t.Error("it is worth waiting for, though nothing is queued")
	}
	if err := errors.Join(r.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestKmsgThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if k, err := OpenKmsg(path, "web", layout.Stdout); k != nil || err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

// memlogd is a socket as LinuxKit's has it.
func memlogd(t *testing.T) (path string, accept func() (name string, pipe *os.File)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return path, func() (string, *os.File) {
		t.Helper()
		data, rights := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
		n, oob, _, _, err := unix.Recvmsg(fd, data, rights, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		messages, err := unix.ParseSocketControlMessage(rights[:oob])
		if err != nil {
			t.Fatal(err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(data[:n]), os.NewFile(uintptr(fds[0]), "pipe")
	}
}

// What the pipe has no room for waits, up to a bound, and comes in its order; what is
// above it is counted.
func TestMemlogdThatIsSlow(t *testing.T) {
	path, accept := memlogd(t)
	m, err := DialMemlogd(path, "onboot.000-dhcp.out")
	if err != nil {
		t.Fatal(err)
	}
	name, pipe := accept()
	if name != "onboot.000-dhcp.out" {
		t.Errorf("it is called %q", name)
	}
	size, err := unix.FcntlInt(pipe.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.Write([]byte(strings.Repeat("a", size)), 0)
	if m.Pending() || m.Dropped() != 0 {
		t.Errorf("what went through is pending, or %d were dropped", m.Dropped())
	}
	m.Write([]byte(strings.Repeat("b", memlogdWait)+"ccc"), 0)
	if !m.Pending() || m.Dropped() != 3 {
		t.Errorf("%d were dropped, not 3", m.Dropped())
	}
	if m.GiveUp(); m.Pending() {
		t.Error("one that was given up is waited for")
	}
	got := take(t, pipe, size)
	for len(got) < size+memlogdWait {
		m.Write(nil, 0)
		data := make([]byte, size)
		n, err := pipe.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		got += string(data[:n])
	}
	if got != strings.Repeat("a", size)+strings.Repeat("b", memlogdWait) {
		t.Error("what came is not what was written, in its order")
	}
	if err := errors.Join(m.Close(), pipe.Close()); err != nil {
		t.Fatal(err)
	}
}

// One that dies keeps nobody waiting. Its successor gets a new pipe, with what has
// come meanwhile.
func TestMemlogdThatDies(t *testing.T) {
	path, accept := memlogd(t)
	m, err := DialMemlogd(path, "web")
	if err != nil {
		t.Fatal(err)
	}
	_, pipe := accept()
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	m.Write([]byte("meanwhile\n"), 10)
	if m.Pending() || m.Dropped() != 0 {
		t.Errorf("pending: %v, dropped: %d", m.Pending(), m.Dropped())
	}
	m.tried = time.Time{} // a second is over
	m.Write([]byte("after\n"), 16)
	name, pipe := accept()
	if got := take(t, pipe, 16); name != "web" || got != "meanwhile\nafter\n" {
		t.Errorf("%s: %q", name, got)
	}
	if err := errors.Join(m.Close(), pipe.Close()); err != nil {
		t.Fatal(err)
	}
}

// Each line has the container's name in front, and one that is killed goes on where
// it was: a line is shown once.
func TestConsole(t *testing.T) {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	c := console.New()
	if err := c.AttachFile(out); err != nil {
		t.Fatal(err)
	}
	shown := filepath.Join(dir, "shown")
	stream := "one\ntwo\nthree\n"
	k, from, err := NewConsole(c, "web", shown, 0, 0)
	if err != nil || from != 0 {
		t.Fatal(from, err)
	}
	k.Write([]byte(stream[:6]), 6) // and is killed in the middle of a line
	k, from, err = NewConsole(c, "web", shown, 0, int64(len(stream)))
	if err != nil || from != 4 {
		t.Fatalf("it goes on at %d, not 4 (%v)", from, err)
	}
	k.Write([]byte(stream[from:]), int64(len(stream)))
	k.Write([]byte("\x1b[2J no end"), 0)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	c.Flush(time.Minute)
	got, err := os.ReadFile(out.Name())
	if want := "web: one\nweb: two\nweb: three\nweb: \\x1b[2J no end\n"; err != nil || strings.ReplaceAll(string(got), "\r", "") != want {
		t.Errorf("%q, want %q (%v)", got, want, err)
	}
	if err := errors.Join(c.Close(), out.Close()); err != nil {
		t.Error(err)
	}
}
