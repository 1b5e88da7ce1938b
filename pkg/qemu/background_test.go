package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
	if _, err := EnterBackground(dir); err == nil || !strings.Contains(err.Error(), dir+": a machine runs there already") {
		t.Fatalf("two machines with one state directory: %v", err)
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
		t.Errorf("left in the state directory: %v, %v", left, err)
	}
}

// One whose process dies without a word, as by kill -9, is not running.
func TestStopOfOneThatDies(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("sleep", "1000")
	holder.ExtraFiles = []*os.File{lock}
	if err := errors.Join(holder.Start(), lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pid"), fmt.Appendln(nil, holder.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = StopBackground(t.Context(), dir, false)
	if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "has ended without a result") {
		t.Error(err)
	}
	if err := holder.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("what held the lock has ended by itself: %v", err)
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

// TestRefuse leaves a state directory as it was before a run that did not come about.
func TestRefuse(t *testing.T) {
	for what, before := range map[string][]string{"none": nil, "empty": {}, "of an earlier run": {"result", "disk1.img"}} {
		dir := filepath.Join(t.TempDir(), "state")
		for i, name := range before {
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte{byte(i)}, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if before != nil {
			_ = os.MkdirAll(dir, 0o755)
		}
		b, err := EnterBackground(dir)
		if err == nil {
			err = b.Refuse()
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		left, err := os.ReadDir(dir)
		if before == nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: left %v, %v", what, left, err)
		}
		if before != nil && (err != nil || len(left) > 2 || len(before) > 0 && left[0].Name() != "disk1.img") {
			t.Errorf("%s: left %v, %v", what, left, err)
		}
		again, err := EnterBackground(dir)
		if err == nil {
			err = again.Leave("")
		}
		if err != nil {
			t.Errorf("%s: once more: %v", what, err)
		}
	}
	// A disk that was made for the run stays; it may be somebody's by now.
	dir := filepath.Join(t.TempDir(), "state")
	b, err := EnterBackground(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "disk1.img"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.Refuse(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestMachines lists what runs, and forgets what has ended.
func TestMachines(t *testing.T) {
	list, dir := filepath.Join(t.TempDir(), "list"), t.TempDir()
	if all, err := Machines(list); err != nil || len(all) > 0 {
		t.Errorf("before the first: %v, %v", all, err)
	}
	running, ended := filepath.Join(dir, "a b-state"), filepath.Join(dir, "gone-state")
	b, err := EnterBackground(running)
	if err == nil {
		err = errors.Join(Register(list, running), Register(list, ended), Register(list, running))
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		all, err := Machines(list)
		if err != nil || len(all) != 1 || all[0].State != running || all[0].PID != os.Getpid() || all[0].Started.IsZero() {
			t.Errorf("%+v, %v", all, err)
		}
	}
	if entries, err := os.ReadDir(list); err != nil || len(entries) != 1 {
		t.Errorf("entries %v, %v", entries, err)
	}
	if err := b.Leave("done"); err != nil {
		t.Fatal(err)
	}
	if all, err := Machines(list); err != nil || len(all) > 0 {
		t.Errorf("after the end: %v, %v", all, err)
	}
}
