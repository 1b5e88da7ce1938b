package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

var reaper = reap.New()

// stopped is a boot that is stopped, with a shell.
type stopped struct {
	end  context.CancelFunc
	over chan struct{}
	said func(string)
}

// stop stops a boot on a machine whose console is tty. A shell that ends before short is
// over was nobody's.
func stop(t *testing.T, shell, tty string, short time.Duration) stopped {
	t.Helper()
	g, said := testGuest(t)
	g.Paths.Dev = t.TempDir()
	if err := os.Symlink(tty, filepath.Join(g.Paths.Dev, "console")); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	s := stopped{end, make(chan struct{}), said}
	go func() {
		defer close(s.over)
		g.emergency(ctx, reaper, shell, short)
	}()
	return s
}

// An image without a shell has nothing but the wait.
func TestEmergencyWithoutShell(t *testing.T) {
	s := stop(t, filepath.Join(t.TempDir(), "sh"), "/dev/null", 0)
	s.said("has no ")
	select {
	case <-s.over:
		t.Error("it does not wait")
	default:
	}
	s.end()
	<-s.over
}

// A console that nobody is at ends its shell at once, and gets no second one.
func TestEmergencyWithNobodyThere(t *testing.T) {
	_, tty := terminal(t)
	s := stop(t, script(t, "exit 0"), tty, time.Hour)
	s.said("this is an emergency shell")
	s.said("nobody is at the shell")
	s.end()
	<-s.over
}

// The shell's controlling terminal is the console. One that somebody leaves is started
// again, and the end of the wait ends it.
func TestEmergencyShell(t *testing.T) {
	master, tty := terminal(t)
	s := stop(t, script(t, "echo up $1 >/dev/tty; read line; echo read $line; exit 0"), tty, 0)
	master.await(t, "up -l")
	master.write(t, "first\n")
	master.await(t, "read first")
	master.await(t, "up -l")
	s.end()
	<-s.over
}

func TestEmergencyWithoutConsole(t *testing.T) {
	s := stop(t, script(t, "exit 0"), "/nowhere", time.Hour)
	s.said("emergency shell: open ")
	s.said("nobody is at the shell")
	s.end()
	<-s.over
}

func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "shell")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// screen is the other end of a terminal.
type screen struct {
	file *os.File
	seen string
}

func terminal(t *testing.T) (*screen, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { file.Close() })
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	return &screen{file: file}, fmt.Sprintf("/dev/pts/%d", n)
}

// await waits until a text is on the screen, and takes it off.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(s.seen, text) {
		data := make([]byte, 100)
		n, err := s.file.Read(data)
		s.seen += string(data[:n])
		// Between two shells nobody has the other end open.
		if err != nil && !errors.Is(err, unix.EIO) {
			t.Fatalf("read %q, %v", s.seen, err)
		}
		if err != nil {
			time.Sleep(time.Millisecond)
		}
	}
	_, s.seen, _ = strings.Cut(s.seen, text)
}

func (s *screen) write(t *testing.T, text string) {
	t.Helper()
	if _, err := s.file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
