package runtime

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
	"slipway/test/skip"
)

// reaper is the one of this process.
var reaper = reap.New()

func TestCallsRuntime(t *testing.T) {
	for cmdline, want := range map[string]bool{
		"/usr/bin/runc\x00--root\x00/run/runc\x00--log\x00x\x00run\x00--detach\x00web\x00":   true,
		"/usr/bin/runc\x00--root\x00/run/runc\x00--log\x00x\x00run\x00--detach\x00other\x00": false,
		"/usr/bin/runc\x00--root\x00/run/runc\x00--log\x00x\x00delete\x00web\x00":            false,
		"sh\x00web\x00": false,
		"":              false,
	} {
		if got := callsRuntime([]byte(cmdline), "web"); got != want {
			t.Errorf("%q: %v", cmdline, got)
		}
	}
}

// A process with a supervisor's name that is neither this one nor its child is
// what another supervisor has forked.
func TestIsForked(t *testing.T) {
	child := exec.Command("sleep", "1000")
	kept, err := reaper.Start(child)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := reaper.Signal(kept, unix.SIGKILL); err != nil {
			t.Error(err)
		}
		<-kept.Done()
	}()
	name := []byte("service\x00supervise\x00-run\x00/run\x00")
	for what, c := range map[string]struct {
		cmdline []byte
		pid     int
		want    bool
	}{
		"ourselves":        {name, os.Getpid(), false},
		"our child":        {name, child.Process.Pid, false},
		"a stranger":       {name, os.Getppid(), true},
		"another":          {[]byte("service\x00keep\x00"), os.Getppid(), false},
		"one that is gone": {name, 1 << 30, false},
	} {
		if got := isForked(c.cmdline, c.pid); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// A runtime that is held is waited for, and ended when nobody wants it any more.
func TestAwaitOrphansEndsWhatHangs(t *testing.T) {
	// "$0" and what follows look like our driver's call; the shell itself reads.
	held := exec.Command("sh", "-c", "read x", "--root", "/x", "--log", "y", "run", t.Name())
	in, err := held.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	kept, err := reaper.Start(held)
	if err != nil {
		t.Fatal(err)
	}
	for {
		found, _, err := runtimesFor(t.Name())
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 1 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	over, told := make(chan error, 1), make(chan int, 1)
	waits := func(pid int) {
		select {
		case told <- pid:
		default:
		}
	}
	go func() { over <- AwaitOrphans(ctx, t.Name(), waits) }()
	if pid := <-told; pid != kept.Pid() {
		t.Errorf("it is said to wait for %d", pid)
	}
	select {
	case err := <-over:
		t.Fatalf("it is not waited for: %v", err)
	case <-kept.Done():
		t.Fatal("it is ended while somebody wants it")
	case <-time.After(10 * time.Millisecond):
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if status, err := kept.Wait(t.Context()); err != nil || status.Signal != unix.SIGKILL {
		t.Errorf("it ended with %v, %v", status, err)
	}
}

func TestTooOld(t *testing.T) {
	self, err := reap.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if tooOld(self) {
		t.Error("this test has just begun")
	}
	// One that began at the boot of the machine.
	if !tooOld(reap.Ident{Pid: 1}) {
		t.Error("a runtime as old as the machine may go on")
	}
}

// What calls itself a runtime in a container is left alone.
func TestRuntimeOfAContainer(t *testing.T) {
	skip.UnlessRoot(t, "a mount namespace")
	other := exec.Command("sh", "-c", "echo; read x", "--root", "/x", "--log", "y", "run", t.Name())
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	in, inErr := other.StdinPipe()
	out, err := other.StdoutPipe()
	kept, startErr := reaper.Start(other)
	if err := errors.Join(inErr, err, startErr); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has its name by then
		t.Fatal(err)
	}
	if found, _, err := runtimesFor(t.Name()); len(found) > 0 || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waits := func(pid int) { t.Errorf("it waits for %d", pid) }
	if err := AwaitOrphans(ctx, t.Name(), waits); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if status, err := kept.Wait(t.Context()); err != nil || status.Code != 1 { // read found the end
		t.Errorf("it ended with %v, %v", status, err)
	}
}
