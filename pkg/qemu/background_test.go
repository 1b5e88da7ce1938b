package qemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/test/poll"
)

func TestBackground(t *testing.T) {
	// Longer than a socket's path may be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if _, err := DialConsole(dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("console of no machine: %v", err)
	}
	b, err := EnterBackground(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := EnterBackground(dir); err == nil {
		t.Fatal("two machines have one state folder")
	}
	script := greet + `echo early >&3; read x <&3; echo "got $x" >&3; echo '{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}' >&4`
	vm, err := Start(Config{Binary: fakeQEMU(t, script), Boot: Boot{Disk: "d"}}, Watch{}, b.Console())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- b.Serve(vm) }()
	conn, err := DialConsole(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("typed\n")); err != nil {
		t.Fatal(err)
	}
	res := vm.Wait()
	if err := b.Leave(res.String()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	seen, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(seen), "early\n") || !strings.Contains(string(seen), "got typed\n") {
		t.Errorf("console %q, %v", seen, err)
	}
	if _, err := StopBackground(context.Background(), dir, false); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop of a machine that is gone: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "lock" || left[1].Name() != "result" {
		t.Errorf("left in the state folder: %v, %v", left, err)
	}
}

// A reader that stops reading must not stop the guest, nor cost memory.
func TestHubDropsTheSlow(t *testing.T) {
	h := newHub()
	slow, theirs := net.Pipe()
	h.join(theirs, io.Discard)
	chunk := bytes.Repeat([]byte("x"), 1024)
	done := make(chan error)
	go func() {
		for range 100 * clientQueue {
			if _, err := h.Write(chunk); err != nil {
				done <- err
			}
		}
		done <- nil
	}()
	if err := poll.For(t, "the hub waits for no reader", done); err != nil {
		t.Fatal(err)
	}
	if n := len(h.backlog.String()); n != backlogSize {
		t.Errorf("backlog of %d bytes", n)
	}
	if len(h.clients) != 0 {
		t.Error("the slow reader is still a client")
	}
	if err := slow.Close(); err != nil {
		t.Error(err)
	}
}
