package keeper

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
	"slipway/test/poll"
	"slipway/test/skip"
)

// The first thread runs no test: its namespaces are what /proc says of this process,
// and one that a test leaves elsewhere would stay there.
func init() { runtime.LockOSThread() }

func exitOf(pid int, start uint64, code int) reap.Exit {
	return reap.Exit{Ident: reap.Ident{Pid: pid, Start: start}, Status: reap.Status{Code: code}}
}

func TestLedgerFindsWhatWasRecorded(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	killed := reap.Exit{Ident: reap.Ident{Pid: 7, Start: 70}, Status: reap.Status{Signal: unix.SIGSEGV, Core: true}}
	for _, e := range []reap.Exit{exitOf(5, 50, 1), killed, exitOf(5, 51, 255), exitOf(9, 0, 3)} {
		if err := l.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[reap.Ident]string{
		{Pid: 5, Start: 50}: "exit status 1",
		{Pid: 5, Start: 51}: "exit status 255",
		{Pid: 7, Start: 70}: "killed by SIGSEGV (core dumped)",
		{Pid: 9, Start: 1}:  "exit status 3", // the record has no start time
	}
	for id, want := range cases {
		e, found, err := new(reader).lookup(dir, id)
		if err != nil || !found || e.Status.String() != want {
			t.Errorf("lookup(%v) = %v %v %v, want %s", id, e.Status, found, err, want)
		}
	}
	if _, found, err := new(reader).lookup(dir, reap.Ident{Pid: 5, Start: 52}); found || err != nil {
		t.Errorf("another process with the same pid: found %v, err %v", found, err)
	}
}

func TestLedgerGoesOnAfterReopenAndWraps(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		l, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i := range slots - 10 {
			if err := l.Record(exitOf(i+1, uint64(1000*round+1), round)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(ledgerPath(dir))
	if err != nil || info.Size() > recordSize*(slots+1) {
		t.Errorf("ledger has %d bytes, err %v", info.Size(), err)
	}
	if _, found, _ := new(reader).lookup(dir, reap.Ident{Pid: 1, Start: 1001}); !found {
		t.Error("first record of the second round is gone")
	}
	if _, found, _ := new(reader).lookup(dir, reap.Ident{Pid: 1, Start: 1}); found {
		t.Error("the oldest record should have been overwritten")
	}
}

// Who asks again finds what has come meanwhile, wherever the ring ends, and who comes later finds all.
func TestReaderGoesOn(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var r reader
	look := func(pid int, ask func(string, reap.Ident) (Exit, bool, error), want bool) {
		t.Helper()
		if e, found, err := ask(dir, reap.Ident{Pid: pid, Start: 1}); err != nil || found != want || found && e.Pid != pid {
			t.Fatalf("process %d: %v, found %v, err %v", pid, e, found, err)
		}
	}
	const end = slots + 2*atOnce + 7
	for pid := 1; pid <= end; pid++ {
		late := pid > slots-atOnce
		if late {
			look(pid, r.lookup, false)
		}
		if err := l.Record(exitOf(pid, 1, 0)); err != nil {
			t.Fatal(err)
		}
		if late {
			look(pid, r.lookup, true)
		}
	}
	look(end-1, r.lookup, false) // it has been seen
	for pid := end; pid > end-slots; pid -= atOnce/2 - 1 {
		look(pid, new(reader).lookup, true)
	}
	look(end-slots, new(reader).lookup, false)
}

// TestFullMemory: exits are recorded although nothing more can be written.
func TestFullMemory(t *testing.T) {
	skip.UnlessRoot(t, "mounts a small tmpfs")
	runtime.LockOSThread() // the thread, and its mounts, end with the test
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	record := func(n int) error { return l.Record(exitOf(n, uint64(n), n%200)) }
	for n := range 5000 {
		if err := record(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/filler", make([]byte, 2<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filled: %v", err)
	}
	for n := range ahead / 2 {
		if err := record(5001 + n); err != nil {
			t.Fatalf("exit %d in a full memory: %v", n, err)
		}
	}
	if e, found, err := new(reader).lookup(dir, reap.Ident{Pid: 5500, Start: 5500}); !found || e.Status.Code != 100 {
		t.Errorf("%v %v %v", e, found, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A reader may come between the two writes of the first record, or while the
// head is being written.
func TestLookupBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	record := Exit{Exit: exitOf(5, 50, 1)}.encode(1)
	write := func(b []byte, at int64) {
		t.Helper()
		f, err := os.OpenFile(ledgerPath(dir), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(record, offset(1))
	if _, found, err := new(reader).lookup(dir, reap.Ident{Pid: 5, Start: 50}); found || err != nil {
		t.Errorf("before there is a head: found %v, err %v", found, err)
	}
	write(record[:recordSize/2], 0)
	time.AfterFunc(20*time.Millisecond, func() { write(record, 0) })
	if e, found, err := new(reader).lookup(dir, reap.Ident{Pid: 5, Start: 50}); !found || err != nil || e.Status.Code != 1 {
		t.Errorf("beside a torn head: %v, found %v, err %v", e.Status, found, err)
	}
}

func TestOneKeeperAtATime(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrKept) {
		t.Errorf("second Open = %v, want ErrKept", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestWaitHearsOfTheEnd(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := reap.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Wait(short, dir, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for a living process = %v", err)
	}
	got := make(chan Exit, 1)
	go func() {
		e, err := Wait(context.Background(), dir, id)
		if err != nil {
			t.Error(err)
		}
		got <- e
	}()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	want := reap.Status{Signal: unix.SIGKILL}
	if err := l.Record(reap.Exit{Ident: id, Status: want}); err != nil {
		t.Fatal(err)
	}
	if e := poll.For(t, "the end is heard of", got); e.Status != want {
		t.Errorf("status %v", e.Status)
	}
}
