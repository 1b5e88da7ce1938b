package images

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPlainProgress(t *testing.T) {
	var out strings.Builder
	p := Plain(&out)
	p.Begin("runc")
	p.Step("runc", "compiling")
	p.Note("downloading x")
	p.End("runc", "built, 4.0 MB", 2*time.Second, nil)
	p.End("init", "", time.Second, errors.New("x"))
	p.End("low", "up to date", time.Millisecond, nil)
	want := `images: runc: compiling
images: downloading x
images: runc: built, 4.0 MB (2.0s)
images: init: failed
images: low: up to date
`
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", out.String(), want)
	}
}

// What stands on the screen at the end: lines that stay, and nothing below.
func TestTerminalProgress(t *testing.T) {
	var out strings.Builder
	term := &terminal{w: &out, stop: make(chan struct{}), width: func() int { return 30 }}
	term.Begin("runc")
	term.Begin("kernel")
	term.Step("runc", "compiling github.com/opencontainers/runc")
	term.draw("")
	for line := range strings.SplitSeq(out.String(), "\n") {
		if len(strings.TrimLeft(line, "\r\x1b[J0123456789A")) >= 30 {
			t.Errorf("line %q is wider than the terminal", line)
		}
	}
	term.Note("downloading x")
	term.End("runc", "built", time.Second, nil)
	close(term.stop)
	term.tick()
	// Two lines, then up by two and one more that stays, and so on.
	want := "  downloading x\n"
	if !strings.Contains(out.String(), "\x1b[2A\r\x1b[J"+want) {
		t.Errorf("wrote %q", out.String())
	}
	if !strings.HasSuffix(out.String(), "\x1b[1A\r\x1b[J") {
		t.Errorf("at the end the moving lines still stand: %q", out.String())
	}
}

func TestNewProgressNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, finish := NewProgress(w)
	p.Step("a", "b")
	finish()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var buf [100]byte
	n, err := r.Read(buf[:])
	if err != nil || string(buf[:n]) != "images: a: b\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}
