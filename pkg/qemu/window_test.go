package qemu

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
)

// The guest is told the size with all else, at each hello, and whenever it changes.
func TestWindowRequest(t *testing.T) {
	w := &port.Window{Console: "ttyS0", Columns: 100, Rows: 30}
	j := newJudge(Watch{}, time.Time{})
	j.window = w
	if j.request(); j.say != nil {
		t.Errorf("said to nobody: %v", j.say)
	}
	for _, from := range []string{port.Onboot, port.Services} {
		j.message(port.Message{Hello: &port.Hello{From: from}}, time.Time{})
		if len(j.say) != 1 || j.say[0].Request.Window != w {
			t.Errorf("%s hears %+v", from, j.say)
		}
		j.say = nil
	}
}

func TestFollowWindow(t *testing.T) {
	_, tty := openPTY(t)
	size := func(cols, rows uint16) {
		t.Helper()
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}); err != nil {
			t.Fatal(err)
		}
	}
	size(132, 50)
	term, err := OpenTerminal(tty, tty)
	if err != nil || term == nil {
		t.Fatalf("%v, %v", term, err)
	}
	told := make(chan string, 16)
	stop := term.FollowWindow(tty, func(cols, rows int) { told <- fmt.Sprint(cols, "x", rows) })
	if got := <-told; got != "132x50" {
		t.Error(got)
	}
	size(90, 20)
	// The kernel sends it to the foreground job of a controlling terminal.
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	for got := range told {
		if got == "90x20" {
			break
		}
	}
	stop()
	if err := term.Restore(); err != nil {
		t.Error(err)
	}
	(*Terminal)(nil).FollowWindow(tty, nil)()
}

// Who looks at a machine in the background says how large the window is; what is no
// size is passed over.
func TestDialWindow(t *testing.T) {
	dir := t.TempDir()
	l, err := listen(dir, windowSocket)
	if err != nil {
		t.Fatal(err)
	}
	told, served := make(chan string, 16), make(chan error, 1)
	go func() { served <- serveWindows(l, func(cols, rows int) { told <- fmt.Sprint(cols, "x", rows) }) }()
	tell, hangUp := DialWindow(dir)
	tell(90, 20)
	for _, wrong := range []string{"x", "-1x5", "0x0", "70000x1", "5x5x5", strings.Repeat("5", 1000)} {
		conn, err := dial(dir, windowSocket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(conn, wrong); err != nil || conn.Close() != nil {
			t.Fatal(err)
		}
	}
	tell(91, 21)
	got := []string{<-told, <-told}
	if !slices.Equal(got, []string{"90x20", "91x21"}) || hangUp() != nil || l.Close() != nil {
		t.Errorf("%q", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	old := t.TempDir()
	if _, err := dial(old, windowSocket); err == nil || !strings.Contains(err.Error(), filepath.Join(old, windowSocket)) || strings.Contains(err.Error(), "/proc") {
		t.Errorf("no socket: %v", err)
	}
	tell, hangUp = DialWindow(old) // of an older program
	if tell(1, 1); hangUp() != nil {
		t.Error("cannot hang up")
	}
}

func TestTermOption(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "xterm-256color": "slipway.term=xterm-256color", "a b": "", "x\ny": "", strings.Repeat("x", 65): "", "x init=/bin/sh": "", "screen.xterm+1": "slipway.term=screen.xterm+1",
	} {
		if got := TermOption(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}
