package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
	"slipway/test/hung"
	"slipway/test/linger"
	"slipway/test/poll"
	"slipway/test/skip"
)

// The first thread runs no test: its namespaces are what /proc says of this process,
// and one that a test leaves elsewhere would stay there.
func init() { runtime.LockOSThread() }

func self(t *testing.T) Target {
	t.Helper()
	id, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return Target{Proc: id}
}

func check(t *testing.T, probe string, target Target) error {
	t.Helper()
	p, err := bundle.ParseProbe(probe)
	if err != nil {
		t.Fatal(err)
	}
	return Check(t.Context(), p, target)
}

func TestTCPAndHTTP(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	answers := map[string]string{
		"/ok": "HTTP/1.0 204 No Content\r\n\r\n", "/moved": "HTTP/1.1 302 Found\r\n\r\n",
		"/ill": "HTTP/1.1 503 Ill\r\n\r\n", "/other": "SSH-2.0-OpenSSH\r\n", "/none": "",
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 512)
				n, err := c.Read(buf)
				if err == nil {
					fmt.Fprint(c, answers[strings.Fields(string(buf[:n]))[1]])
				}
			}()
		}
	}()
	target := self(t)
	for probe, good := range map[string]bool{
		fmt.Sprintf("tcp:%d", port): true, fmt.Sprintf("http:%d/ok", port): true,
		fmt.Sprintf("http:%d/moved", port): true, fmt.Sprintf("http:%d/ill", port): false,
		fmt.Sprintf("http:%d/other", port): false, fmt.Sprintf("http:%d/none", port): false,
	} {
		if err := check(t, probe, target); (err == nil) != good {
			t.Errorf("%s: %v", probe, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := check(t, fmt.Sprintf("tcp:%d", port), target); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

// A port in another network namespace is found there and not here.
func TestTCPInNetworkNamespace(t *testing.T) {
	skip.UnlessRoot(t, "makes a network namespace")
	ready, done := make(chan error, 1), make(chan struct{})
	var tid, port int
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the namespace
		tid = unix.Gettid()
		var l *net.TCPListener
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		if err == nil {
			l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		}
		if err == nil {
			port = l.Addr().(*net.TCPAddr).Port
			defer l.Close()
		}
		ready <- err
		<-done
	}()
	defer close(done)
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	// A thread's id does for a process here: /proc has it.
	there, err := reap.Identify(tid)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	probe := fmt.Sprintf("tcp:%d", port)
	if err := check(t, probe, Target{Proc: there}); err != nil {
		t.Errorf("in its namespace: %v", err)
	}
	// Of this process, the thread that went away may be the first.
	parent, err := reap.Identify(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	if err := check(t, probe, Target{Proc: parent}); err == nil {
		t.Error("found in another namespace")
	}
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("namespace %s before, %s after, %v", before, after, err)
	}
}

// loopbackUp sets IFF_UP on lo of the thread's network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	req, err := unix.NewIfreq("lo")
	if err == nil {
		req.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	}
	return errors.Join(err, unix.Close(fd))
}

func TestUnixAndFile(t *testing.T) {
	dir := t.TempDir()
	target := self(t)
	for _, kind := range []string{"unix", "unixgram", "unixpacket"} {
		path := filepath.Join(dir, kind)
		if kind == "unixgram" {
			c, err := net.ListenUnixgram(kind, &net.UnixAddr{Name: path, Net: kind})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		} else {
			l, err := net.Listen(kind, path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		if err := check(t, "unix:"+path, target); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(t, "unix:"+plain, target); err == nil {
		t.Error("a plain file is no socket")
	}
	if err := check(t, "file:"+plain, target); err != nil {
		t.Error(err)
	}
	if err := check(t, "file:"+plain+".not", target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	gone := Target{Proc: reap.Ident{Pid: os.Getpid(), Start: 1}}
	if err := check(t, "file:"+plain, gone); err == nil {
		t.Error("another process with the same pid was asked")
	}
}

// unread is how many bytes of what was written to a socket nobody has read yet.
func unread(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) }), err); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	n, err := ListenNotify(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// What is not the word is not taken for it, and does not end the reading.
	for _, message := range []string{"", "STATUS=READY=1", "XREADY=1", "READY=0", strings.Repeat("x", 2*maxMessage), "\x00READY=1", "the last"} {
		if _, err := c.Write([]byte(message)); err != nil {
			t.Fatalf("%q: %v", message[:min(9, len(message))], err)
		}
	}
	// All but the last of them are dealt with once none waits in the socket.
	poll.Until(t, "all is read", func() bool { return unread(t, c) == 0 })
	select {
	case <-n.ready:
		t.Fatal("ready too early")
	default:
	}
	if _, err := c.Write([]byte("STATUS=up\nREADY=1\nMAINPID=1")); err != nil {
		t.Fatal(err)
	}
	poll.For(t, "READY=1 is heard", n.ready)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is left")
	}
}

// sd_notify_barrier(3) sends the end of a pipe and waits until it is closed: what
// was sent before has been dealt with then. Descriptors are not collected here.
func TestNotifyBarrier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	n, err := ListenNotify(path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("READY=1")); err != nil {
		t.Fatal(err)
	}
	conn, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rights := unix.UnixRights(int(w.Fd()))
	if ctlErr := conn.Control(func(fd uintptr) { err = unix.Sendmsg(int(fd), []byte("BARRIER=1"), rights, nil, 0) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	if err := errors.Join(w.Close(), r.SetReadDeadline(time.Now().Add(poll.Longest))); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the descriptor is kept open: %d %v", n, err)
	}
	select {
	case <-n.ready:
	default:
		t.Error("READY=1 came before, and was not heard")
	}
}

// Connections sent along that want to wait for ever, when they are let go, hold up
// neither the hearing nor the end of it.
func TestNotifyWaitsForNoConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	n, err := ListenNotify(path)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	// After so many messages they are read slowly, and stay in the queue for a while.
	for range burst {
		if _, err := unix.Write(fd, []byte("STATUS=busy")); err != nil {
			t.Fatal(err)
		}
	}
	if err := linger.Send(fd); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("READY=1")); err != nil {
		t.Fatal(err)
	}
	poll.For(t, "READY=1 is heard", n.ready)
	if err := errors.Join(linger.Send(fd), n.Close()); err != nil {
		t.Error(err)
	}
}

// One that takes a connection and says nothing holds a look for no longer than
// the look may take.
func TestSilenceIsNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p := bundle.Probe{Kind: bundle.ProbeHTTP, Port: l.Addr().(*net.TCPAddr).Port, Path: "/"}
	begin := time.Now()
	if err := Check(ctx, p, self(t)); err == nil || strings.Contains(err.Error(), "is not HTTP") || time.Since(begin) > poll.Longest {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	slow := self(t)
	slow.Exec = func(ctx context.Context, _ []string) (reap.Status, error) {
		<-ctx.Done()
		return reap.Status{}, ctx.Err()
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := Check(ctx, bundle.Probe{Kind: bundle.ProbeExec, Command: []string{"check"}}, slow); err == nil || !strings.Contains(err.Error(), "check: not done after") {
		t.Errorf("a command that hangs: %v", err)
	}
}

func TestWatchCountsFailuresInARow(t *testing.T) {
	results := []bool{true, false, false, true, false, false, false, true}
	at := 0
	target := self(t)
	target.Exec = func(context.Context, []string) (reap.Status, error) {
		good := results[at]
		at++
		if good {
			return reap.Status{}, nil
		}
		return reap.Status{Code: 1}, nil
	}
	p := bundle.Probe{Kind: bundle.ProbeExec, Command: []string{"check"}}
	err := Watch(t.Context(), p, target, time.Millisecond)
	if err == nil || at != 7 || !strings.Contains(err.Error(), "check: exit status 1") {
		t.Errorf("after %d looks: %v", at, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Watch(ended, p, target, time.Hour); err != nil {
		t.Errorf("ended watch: %v", err)
	}
}

// A file system that does not answer is ill health, and one thread waits for it,
// however often it is looked at. With the answer the looks go on.
func TestLookThatHangs(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	target := self(t)
	target.hurry = &limits{check: 10 * time.Millisecond, overdue: 10 * time.Millisecond}
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := bundle.Probe{Kind: bundle.ProbeFile, Path: filepath.Join(dir, "ready")}
	err = Watch(t.Context(), p, target, time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "3 checks in a row failed: file:"+p.Path+": hangs") {
		t.Errorf("a file system that hangs: %v", err)
	}
	var c checker
	if err := c.check(t.Context(), p, target); err == nil {
		t.Error("a look that hangs has found something")
	}
	first := c.over
	if err := c.check(t.Context(), p, target); err == nil || c.over != first {
		t.Errorf("the second check: %v, another beside the first: %v", err, c.over != first)
	}
	if err := errors.Join(release(), os.WriteFile(p.Path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it answers", func() bool { return c.check(t.Context(), p, target) == nil })
}

func FuzzSays(f *testing.F) {
	f.Add([]byte("READY=1"))
	f.Add([]byte("a\nREADY=1\n\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if says(message, "READY=1") && !strings.Contains(string(message), "READY=1") {
			t.Errorf("%q", message)
		}
	})
}
