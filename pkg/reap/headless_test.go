package reap

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// init makes a program of this test whose first thread ends while another goes on,
// until there is nothing more to read.
func init() {
	if os.Getenv("REAP_TEST_HEADLESS") == "" {
		return
	}
	runtime.LockOSThread() // the first thread: this is before main
	up := make(chan bool)
	go func() {
		close(up)
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			os.Exit(1)
		}
		os.Exit(7)
	}()
	<-up
	unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
}

// A process runs as long as one of its threads does, though its state is that of the
// first, which has ended.
func TestAliveWithoutTheFirstThread(t *testing.T) {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), "REAP_TEST_HEADLESS=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := reaper().Start(child)
	if err != nil {
		t.Fatal(err)
	}
	id, err := Identify(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	for stateOf(t, p.Pid()) != 'Z' {
		if !id.Alive() {
			t.Fatal("it has ended")
		}
	}
	if !id.Alive() {
		t.Error("it counts as ended while it runs")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(testContext(t)); err != nil || status.Code != 7 {
		t.Errorf("it ended with %v, %v", status, err)
	}
	if id.Alive() {
		t.Error("it has ended, and counts as running")
	}
}

// stateOf is the state that /proc shows of a process.
func stateOf(t *testing.T, pid int) byte {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	return data[bytes.LastIndexByte(data, ')')+2]
}
