package console

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal and returns its master and the slave's name.
func terminal(t *testing.T) (*os.File, string) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminal: %v", err)
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

func TestNames(t *testing.T) {
	got := Names("console=ttyS0,115200 quiet console=tty0 console=ttyS0 console= xconsole=tty1 console=../x")
	if !slices.Equal(got, []string{"ttyS0", "tty0"}) {
		t.Errorf("got %v", got)
	}
}

func TestEveryConsoleGetsEveryLine(t *testing.T) {
	a, nameA := terminal(t)
	b, nameB := terminal(t)
	c := New()
	c.Attach("/dev/pts", []string{nameA, "no-such-device", nameB}, "none")
	// What containers have a say in makes no line of its own.
	c.Printf("one %s", "\x1b[2J\nslipway: two")
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
		if want := `slipway: one \x1b[2J; slipway: two`; !strings.Contains(got, want) {
			t.Errorf("got %q", got)
		}
	}
}

// A terminal that nobody reads takes a few kilobytes; whoever writes more than
// that must neither wait nor grow, and the reader is told what is missing.
func TestStuckConsole(t *testing.T) {
	m, name := terminal(t)
	c := New()
	c.Attach("/dev/pts", []string{name}, "none")
	line := bytes.Repeat([]byte("x"), 1000)
	done := make(chan struct{})
	go func() {
		for range 1000 {
			c.Write(line)
		}
		c.Flush(10 * time.Millisecond)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("writing to a stuck console blocks")
	}
	c.mu.Lock()
	waiting, dropped := len(c.lines[0].waiting), c.lines[0].dropped
	c.mu.Unlock()
	if waiting > limit || dropped == 0 {
		t.Errorf("%d bytes wait, %d messages dropped", waiting, dropped)
	}
	got := ""
	buffer := make([]byte, 4096)
	for !strings.Contains(got, "messages dropped") {
		n, err := m.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got = got[max(0, len(got)-100):] + string(buffer[:n])
		c.Write([]byte("."))
	}
}
