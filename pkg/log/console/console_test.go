package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/poll"
	"slipway/test/skip"
)

// terminal opens a pseudo terminal and returns its master and the slave's name.
func terminal(t *testing.T) (*os.File, string) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		skip.Test(t, skip.Terminal, err)
	}
	t.Cleanup(func() { m.Close() })
	if err := unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return m, fmt.Sprint(n)
}

// attach makes a Console of pseudo terminals.
func attach(t *testing.T, names ...string) *Console {
	t.Helper()
	c := New()
	if err := c.Attach("/dev/pts", names, "none"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func say(t *testing.T, c *Console, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	for cmdline, want := range map[string][]string{
		"":                    nil,
		"quiet console=ttyS0": {"ttyS0"},
		"console=tty0 console=ttyS0,115200n8 console=tty0 xconsole=no":                                  {"tty0", "ttyS0"},
		"console= console=,9600 console=../../etc/passwd console=pts/0 console=.. console=. console=a/": nil, // the kernel has no such names
	} {
		if got := Names(cmdline); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", cmdline, got, want)
		}
	}
}

func TestEveryConsoleGetsEveryLine(t *testing.T) {
	a, nameA := terminal(t)
	b, nameB := terminal(t)
	c := New()
	if err := c.Attach("/dev/pts", []string{nameA, "no-such-device", nameB}, "none"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "no-such-device") {
		t.Errorf("a device that is not there: %v", err)
	}
	say(t, c, "one\ntwo\n")
	for _, m := range []*os.File{a, b} {
		buffer := make([]byte, 200)
		got := ""
		for !strings.Contains(got, "two") {
			n, err := m.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			got += string(buffer[:n])
		}
		if got != "one\r\ntwo\r\n" && got != "one\r\ntwo" {
			t.Errorf("got %q", got)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A getty that ends hangs its terminal up: what is said after that comes all the
// same.
func TestHungUpConsole(t *testing.T) {
	m, name := terminal(t)
	c := attach(t, name)
	say(t, c, "before\n")
	got, buffer := "", make([]byte, 200)
	// While nobody has the other end open, reading from this one is an error.
	read := func() string {
		if n, err := m.Read(buffer); err == nil {
			got += string(buffer[:n])
		}
		return got
	}
	poll.Until(t, "a line before", func() bool { return strings.Contains(read(), "before") })
	fd, err := unix.Open("/dev/pts/"+name, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.IoctlSetInt(fd, unix.TIOCVHANGUP, 0); err != nil {
		skip.Test(t, skip.HangUp, err)
	}
	say(t, c, "after\n")
	poll.Until(t, "a line after", func() bool { return strings.Contains(read(), "after") })
}

// A file knows no splice(2) if it is appended to.
func TestFile(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := New()
	if err := c.AttachFile(f); err != nil {
		t.Fatal(err)
	}
	want := ""
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		want += line
		say(t, c, line)
	}
	c.Flush(poll.Longest)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A terminal that nobody reads takes a few kilobytes; whoever writes more than
// that must neither wait nor grow, and the reader is told to the byte what is
// missing. One beside it that is read gets all.
func TestStuckConsole(t *testing.T) {
	stuck, stuckName := terminal(t)
	live, liveName := terminal(t)
	c := attach(t, stuckName, liveName)
	const lines, size = 10000, 100
	all := make(chan string, 1)
	go func() { all <- read(live, lines*(size+1)) }()
	line := strings.Repeat("x", size-1) + "\n"
	for range lines / 100 {
		for range 100 {
			say(t, c, line)
		}
		poll.Until(t, "the other takes all", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return !c.lines[1].congested()
		})
	}
	if n := len(<-all); n != lines*(size+1) { // each with a carriage return
		t.Errorf("the other got %d bytes", n)
	}
	if !c.Congested() {
		t.Error("nothing waits for the one that is stuck")
	}
	c.Flush(10 * time.Millisecond) // does not wait for what does not move
	got := ""
	buffer := make([]byte, 64<<10)
	for !strings.HasSuffix(got, "bytes dropped\r\n") {
		n, err := stuck.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buffer[:n])
	}
	there := strings.Count(got, "x\r\n")
	if want := fmt.Sprintf("slipway: console: %d bytes dropped\r\n", (lines-there)*size); there == lines || !strings.HasSuffix(got, want) {
		t.Errorf("%d lines are there, and it ends with %q", there, got[len(got)-60:])
	}
}

// read reads so many bytes.
func read(f *os.File, n int) string {
	var all bytes.Buffer
	if _, err := io.CopyN(&all, f, int64(n)); err != nil {
		return err.Error()
	}
	return all.String()
}

// Closing gives up what waits, and waits for nobody.
func TestCloseWithoutAReader(t *testing.T) {
	_, name := terminal(t)
	c := attach(t, name)
	say(t, c, strings.Repeat("x", 64<<10))
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	say(t, c, "to nobody")
}
