package store

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/console"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/pkg/log/rotate"
	"slipway/pkg/log/spool"
	"slipway/test/poll"
)

// memlogd is LinuxKit's side of the protocol: it takes names and descriptors.
type memlogd struct {
	t    *testing.T
	sock int
}

func startMemlogd(t *testing.T, p layout.Paths) memlogd {
	t.Helper()
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(sock, &unix.SockaddrUnix{Name: p.Memlogd}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(sock) })
	return memlogd{t, sock}
}

// called tells whether somebody has sent a descriptor.
func (m memlogd) called() bool {
	m.t.Helper()
	fds := []unix.PollFd{{Fd: int32(m.sock), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 10)
	return n > 0 && err == nil
}

func (m memlogd) accept() (string, *os.File) {
	m.t.Helper()
	name, control := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
	n, c, _, _, err := unix.Recvmsg(m.sock, name, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		m.t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil || len(messages) != 1 {
		m.t.Fatalf("%d messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		m.t.Fatalf("%v, %v", fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), string(name[:n]))
	m.t.Cleanup(func() { f.Close() })
	return string(name[:n]), f
}

func TestMemlogd(t *testing.T) {
	p := testPaths(t)
	m := startMemlogd(t, p)
	b := testBundle(bundle.Onboot, "002-x")
	run(t, b, testOptions(t, p), "out 1\nout 2\n", "err\n")
	got := map[string]string{}
	for range 2 {
		name, f := m.accept()
		var all bytes.Buffer
		if _, err := all.ReadFrom(f); err != nil { // Ends: the pipe is closed.
			t.Fatal(err)
		}
		got[name] = all.String()
	}
	if got["onboot.002-x.out"] != "out 1\nout 2\n" || got["onboot.002-x"] != "err\n" || len(got) != 2 {
		t.Errorf("memlogd got %q", got)
	}
	if rotate.Exists(p.Run + "/log/onboot/onboot.002-x.log") {
		t.Error("it is kept in a file as well")
	}
	last, err := read.Tail(p, b.Section, b.Name, 2)
	if err != nil || len(last) != 2 {
		t.Errorf("last lines are %v, %v", last, err)
	}
	if got := texts(t, p, b, read.Query{}); len(got) != 3 {
		t.Errorf("what is kept in memory reads %q", got)
	}
}

// TestMemlogdThatDoesNotRead holds up its container for a moment only.
func TestMemlogdThatDoesNotRead(t *testing.T) {
	p := testPaths(t)
	m := startMemlogd(t, p)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	_, f := m.accept()
	text := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MiB
	write(t, w.Stdout(), text)
	mustClose(t, w)
	var all bytes.Buffer
	if _, err := all.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	if all.Len() < spool.Chunk || !strings.HasPrefix(text, all.String()) && all.Len() > len(text) {
		t.Errorf("memlogd got %d bytes", all.Len())
	}
	if n, _ := w.log.spool.Stream(layout.Stdout).Losses(); n != 0 {
		t.Errorf("%d bytes count as lost, although they are in memory", n)
	}
}

func TestMemlogdThatDied(t *testing.T) {
	p := testPaths(t)
	m := startMemlogd(t, p)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	for range 2 {
		_, f := m.accept()
		f.Close()
	}
	for range 8 {
		write(t, w.Stdout(), strings.Repeat("0123456789abcde\n", 4<<10))
	}
	write(t, w.Stdout(), "the end\n")
	mustClose(t, w)
	equal(t, "tail", texts(t, p, b, read.Query{Tail: 1}), []string{"stdout the end"})
}

// TestMemlogdThatComesBack gets a new descriptor for each log that says something.
func TestMemlogdThatComesBack(t *testing.T) {
	p := testPaths(t)
	m := startMemlogd(t, p)
	b := testBundle(bundle.Services, "foo")
	w := mustOpen(t, b, testOptions(t, p))
	for range 2 {
		_, f := m.accept()
		f.Close()
	}
	unix.Close(m.sock)
	if err := os.Remove(p.Memlogd); err != nil {
		t.Fatal(err)
	}
	write(t, w.Stdout(), "nobody\n")
	poll.Until(t, "it is taken", func() bool { return queued(t, w.streams[0]) == 0 })
	again := startMemlogd(t, p)
	want := "nobody\n"
	poll.Until(t, "it is looked for", func() bool {
		write(t, w.Stdout(), "somebody\n")
		want += "somebody\n"
		return again.called()
	})
	name, f := again.accept()
	mustClose(t, w)
	var all bytes.Buffer
	if _, err := all.ReadFrom(f); err != nil || name != "foo.out" || all.String() != want {
		t.Errorf("%s got %q, %v", name, all.String(), err)
	}
	if got := texts(t, p, b, read.Query{}); got[0] != "stdout nobody" || len(got) != strings.Count(want, "\n") {
		t.Errorf("kept are %q", got)
	}
}

func TestPolicyKmsg(t *testing.T) {
	p := testPaths(t)
	if err := os.WriteFile(p.Kmsg, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := testBundle(bundle.Services, "foo")
	b.Policy.Log = bundle.LogKmsg
	run(t, b, testOptions(t, p), "a line\n<0>forged\x1b[0m\n", "")
	// A plain file has no records: the second overwrites nothing, being appended
	// by the position of the same descriptor.
	want := "<14>foo: a line\n<14>foo: <0>forged\\x1b[0m\n"
	poll.Until(t, "kmsg has "+want, func() bool { return contents(t, p.Kmsg) == want })
}

func TestPolicyNone(t *testing.T) {
	p := testPaths(t)
	b := testBundle(bundle.Services, "foo")
	b.Policy.Log = bundle.LogNone
	run(t, b, testOptions(t, p), "a line\n", "")
	if got, err := read.Tail(p, b.Section, b.Name, 5); err != nil || len(got) != 0 {
		t.Errorf("tail %v, %v", got, err)
	}
	if rotate.Exists(p.Log + "/foo.out.log") {
		t.Error("there is a file")
	}
}

func TestDirect(t *testing.T) {
	p := testPaths(t)
	f, err := os.Create(p.Run + "/console")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := testOptions(t, p)
	o.Direct = f
	run(t, testBundle(bundle.Onboot, "000-a"), o, "out\n", "err\n")
	if got := contents(t, f.Name()); got != "out\nerr\n" {
		t.Errorf("console has %q", got)
	}
	if _, err := f.WriteString("still open"); err != nil {
		t.Error(err)
	}
}

func TestPolicyConsole(t *testing.T) {
	p := testPaths(t)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(ends[0]), "r"), os.NewFile(uintptr(ends[1]), "w")
	defer r.Close()
	c := console.New()
	if err := c.AttachFile(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	b.Policy.Log = bundle.LogConsole
	o.Console = c
	run(t, b, o, "a line\nslipway\rforged\nend", "")
	c.Flush(poll.Longest)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if want := "foo: a line\nfoo: slipway\\rforged\nfoo: end\n"; got.String() != want {
		t.Errorf("console has %q, want %q", got.String(), want)
	}
	equal(t, "log", texts(t, p, b, read.Query{Tail: 1}), []string{"stdout end"})
}

func TestLink(t *testing.T) {
	p := testPaths(t)
	for _, before := range []func(link string) error{
		func(string) error { return nil },
		func(link string) error { return os.Symlink("/elsewhere", link) },
		func(link string) error { return os.Mkdir(link, 0o755) },
		func(link string) error { return os.WriteFile(link, []byte("x"), 0o600) },
	} {
		link := p.Log + "/onboot"
		if err := os.RemoveAll(link); err != nil {
			t.Fatal(err)
		}
		if err := before(link); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := Link(bundle.Onboot, p); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.Readlink(link); err != nil || got != p.Run+"/log/onboot" {
			t.Errorf("link goes to %q, %v", got, err)
		}
	}
	if err := os.MkdirAll(p.Log+"/shutdown/kept", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Link(bundle.Onshutdown, p); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("a directory with something in it is replaced: %v", err)
	}
}
