package control

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/poll"
)

// answered asks as a person would, and tells how long that took.
func answered(t *testing.T, c Client) time.Duration {
	t.Helper()
	begin := time.Now()
	var l List
	if err := c.Services(&l); err != nil || len(l.Services) != 1 {
		t.Fatalf("%+v, %v after %s", l, err, time.Since(begin))
	}
	return time.Since(begin)
}

func dial(t *testing.T, c Client) net.Conn {
	t.Helper()
	conn, err := connect(c.Path, busyTime)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// A thousand connections that say nothing, or a byte now and then, hurt nobody:
// the next client is answered at once, and what they cost is bounded.
func TestIdleConnections(t *testing.T) {
	_, c := serve(t)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		conn := dial(t, c)
		if i%2 == 0 {
			if _, err := io.WriteString(conn, "GET /v1/serv"); err != nil {
				continue // sent away already
			}
		}
	}
	if took := answered(t, c); took > clientTime {
		t.Errorf("answered after %s", took)
	}
	poll.Until(t, "few goroutines serve 1000 connections", func() bool { return runtime.NumGoroutine()-before <= maxClients+20 })
}

// floodVar makes the test binary a client that floods the socket it names.
const floodVar = "SLIPWAY_TEST_FLOOD"

func TestMain(m *testing.M) {
	if path := os.Getenv(floodVar); path != "" {
		flood(path)
	}
	// Under nohup(1) programs would not hear SIGHUP, and each be waited for until it is killed.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	os.Exit(m.Run())
}

// flood connects without end, in many ways at a time, until it is killed.
func flood(path string) {
	var once sync.Once
	requests := []string{"", "GET /v1/services HTTP/1.1\r\n\r\n", "garbage\x00\n\n", "POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"}
	for _, r := range requests {
		go func() {
			var open []net.Conn
			for {
				conn, err := connect(path, busyTime)
				if err != nil {
					continue
				}
				fmt.Fprint(conn, r)
				if open = append(open, conn); len(open) > 200 {
					once.Do(func() { fmt.Println("flooding") })
					open[0].Close()
					open = open[1:]
				}
			}
		}()
	}
	select {}
}

// Whoever floods takes places from nobody but themselves.
func TestFlood(t *testing.T) {
	_, c := serve(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), floodVar+"="+c.Path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the flood ended by itself")
		}
	})
	if word, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the flood does not come up: %q, %v", word, err)
	}
	for range 5 {
		answered(t, c)
	}
}

func TestLimiterClosesTheOldestOfTheProcessThatHasMost(t *testing.T) {
	var l limiter
	first := &connection{pid: 1}
	busy := &connection{pid: 2, phase: acting}
	for _, c := range []*connection{first, busy} {
		if out, ok := l.admit(c); out != nil || !ok {
			t.Fatal("there was room")
		}
	}
	var many []*connection
	for len(l.all) < maxClients {
		c := &connection{pid: 2}
		many = append(many, c)
		l.admit(c)
	}
	if out, ok := l.admit(&connection{pid: 3}); out != many[0] || !ok {
		t.Errorf("%+v is closed, not the oldest idle one of the process that has most", out)
	}
	for _, c := range l.all {
		c.phase = acting
	}
	if out, ok := l.admit(&connection{pid: 3}); out != nil || ok {
		t.Errorf("%+v is closed in the middle of a request", out)
	}
	if l.advance(many[0], writing) || many[0].phase != asking {
		t.Error("a connection that was closed goes on")
	}
}

// Who is being answered is not told to ask again: what was asked for is done.
func TestDismissed(t *testing.T) {
	for phase, want := range map[phase]string{asking: "HTTP/1.1 503 ", writing: ""} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		client, file := os.NewFile(uintptr(fds[0]), "client"), os.NewFile(uintptr(fds[1]), "server")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		dismiss(&connection{conn: conn.(*net.UnixConn), phase: phase})
		file.Close()
		said, err := io.ReadAll(client)
		if err != nil || !strings.HasPrefix(string(said), want) || (want == "") != (len(said) == 0) {
			t.Errorf("phase %d: %q, %v", phase, said, err)
		}
		client.Close()
	}
}
