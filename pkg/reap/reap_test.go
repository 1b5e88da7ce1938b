package reap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/hung"
	"slipway/test/poll"
	"slipway/test/skip"
)

// reaper starts the one Reaper that serves all tests, as it would any process.
// Fuzzing, whose workers os/exec waits for, does not ask for it.
var reaper = sync.OnceValue(func() *Reaper {
	if err := SetSubreaper(); err != nil {
		panic(err)
	}
	return New()
})

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ignoringVar makes the test binary a process that was started with signals ignored.
const ignoringVar = "SLIPWAY_TEST_IGNORING"

func TestChildrenIgnoreNoSignals(t *testing.T) {
	cmd := exec.Command("/bin/grep", "-q", "^SigIgn:.*[048c]$", "/proc/self/status")
	if os.Getenv(ignoringVar) == "" {
		self := fmt.Sprintf("/proc/%d/exe", os.Getpid())
		cmd = exec.Command("/bin/sh", "-c", `trap "" HUP INT; exec "$0" -test.run="^$1\$"`, self, t.Name())
		cmd.Env = append(os.Environ(), ignoringVar+"=1")
	}
	if status, err := reaper().Run(testContext(t), cmd); err != nil || status != (Status{}) {
		t.Error(status, err)
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		status Status
		text   string
		code   int
	}{
		{Status{}, "exit status 0", 0},
		{Status{Code: 3}, "exit status 3", 3},
		{Status{Signal: unix.SIGKILL}, "killed by SIGKILL", 137},
		{Status{Signal: unix.SIGSEGV, Core: true}, "killed by SIGSEGV (core dumped)", 139},
		{Status{Signal: 50}, "killed by signal 50", 178},
	} {
		if got := tt.status.String(); got != tt.text {
			t.Errorf("String() = %q, want %q", got, tt.text)
		}
		if got := tt.status.ExitCode(); got != tt.code {
			t.Errorf("%s: ExitCode() = %d, want %d", tt.text, got, tt.code)
		}
	}
}

// Being out of memory is the cause where the status fits, and told beside it where a
// child may have died of it and the program of something else.
func TestStatusWithOOM(t *testing.T) {
	for status, want := range map[Status]string{
		{Signal: unix.SIGKILL}: "out of memory: killed by SIGKILL",
		{Code: 137}:            "out of memory: exit status 137",
		{Code: 1}:              "exit status 1; the kernel has killed a process of it, being out of memory",
	} {
		if got := status.WithOOM(); got != want {
			t.Errorf("%+v: %q, want %q", status, got, want)
		}
	}
}

// A hundred children that end at once keep their hundred different statuses,
// with as many orphans dying in between.
func TestEveryChildHasItsOwnStatus(t *testing.T) {
	ctx := testContext(t)
	var running []*Process
	for code := range 100 {
		p, err := reaper().Start(exec.Command("/bin/sh", "-c", fmt.Sprintf("(sh -c 'exit 9' &) ; exit %d", code)))
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, p)
	}
	for code, p := range running {
		status, err := p.Wait(ctx)
		if err != nil || status.Code != code || status.Signal != 0 {
			t.Errorf("child %d: %v, %v", code, status, err)
		}
	}
}

func TestRunKillsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(testContext(t))
	go func() {
		poll.Until(t, "it runs", func() bool { return readPid(dir+"/pid") != 0 })
		cancel()
	}()
	_, err := reaper().Run(ctx, exec.Command("/bin/sh", "-c", "sleep 1000 & echo $! > "+dir+"/pid; wait"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	grandchild := readPid(dir + "/pid")
	status, err := reaper().Adopt(grandchild).Wait(testContext(t))
	if err != nil || status.Signal != unix.SIGKILL {
		t.Errorf("grandchild: %v, %v", status, err)
	}
}

func readPid(name string) int {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return pid
}

func TestAdopt(t *testing.T) {
	for name, script := range map[string]string{
		"still running":  "(echo $$; exec sh -c 'echo $$ > %s/pid; sleep 0.2; exit 7') & while [ ! -s %[1]s/pid ]; do :; done",
		"already reaped": "sh -c 'echo $$ > %s/pid; exit 7' &",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir := testContext(t), t.TempDir()
			cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf(script, dir))
			if _, err := reaper().Run(ctx, cmd); err != nil {
				t.Fatal(err)
			}
			poll.Until(t, "it runs", func() bool { return readPid(dir+"/pid") != 0 })
			if name == "already reaped" {
				poll.Until(t, name, func() bool { return errors.Is(unix.Kill(readPid(dir+"/pid"), 0), unix.ESRCH) })
			}
			status, err := reaper().Adopt(readPid(dir + "/pid")).Wait(ctx)
			if err != nil || status.Code != 7 {
				t.Errorf("status %v, error %v, want 7", status, err)
			}
		})
	}
}

func TestOrphansAreReported(t *testing.T) {
	heard := make(chan Exit, 1000)
	reaper().OnOrphan(func(e Exit) {
		select {
		case heard <- e:
		default:
		}
	})
	t.Cleanup(func() { reaper().OnOrphan(nil) })
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("sh -c 'echo $$ > %s/pid; exit 42' &", dir))
	ctx := testContext(t)
	if _, err := reaper().Run(ctx, cmd); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case e := <-heard:
			if e.Pid == readPid(dir+"/pid") && e.Status.Code == 42 {
				if e.Start == 0 {
					t.Error("its start time is unknown")
				}
				return
			}
		case <-ctx.Done():
			t.Fatal("the orphan was not reported")
		}
	}
}

func TestStartRefusesWhatNeedsExecsWait(t *testing.T) {
	for name, cmd := range map[string]*exec.Cmd{
		"context": exec.CommandContext(context.Background(), "/bin/true"),
		"output":  {Path: "/bin/true", Stdout: &strings.Builder{}},
		"input":   {Path: "/bin/true", Stdin: strings.NewReader("")},
	} {
		if _, err := reaper().Start(cmd); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestIdentNeverSignalsAnotherProcess(t *testing.T) {
	p, err := reaper().Start(exec.Command("/bin/sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := Identify(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	other := Ident{Pid: id.Pid, Start: id.Start + 1}
	if err := other.Signal(unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to an earlier owner of the pid: %v, want ESRCH", err)
	}
	if !id.Alive() || other.Alive() {
		t.Errorf("Alive() = %v for the process, %v for an earlier one", id.Alive(), other.Alive())
	}
	if err := id.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	status, err := p.Wait(testContext(t))
	if err != nil || status.Signal != unix.SIGTERM {
		t.Errorf("%v, %v", status, err)
	}
	if err := id.Signal(unix.SIGTERM); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to a dead process: %v, want ESRCH", err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (a) b) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 77 1 1"))
	f.Add([]byte("1 (x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		start, _, err := parseStat(data)
		if err == nil && !bytes.Contains(data, strconv.AppendUint(nil, start, 10)) {
			t.Errorf("a start time of %d out of nowhere", start)
		}
	})
}

// A pid stays in use as the number of a session when its process is gone.
func TestIdentOfALeaderThatIsGone(t *testing.T) {
	ctx := testContext(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "read go; sleep 1000 & echo $! ")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout = r, out
	p, err := reaper().Start(cmd)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	id, err := Identify(p.Pid())
	if _, writeErr := w.WriteString("go\n"); errors.Join(err, writeErr, w.Close()) != nil {
		t.Fatal(err, writeErr)
	}
	var left int
	if _, err := fmt.Fscan(in, &left); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := id.Open(); !errors.Is(err, unix.ESRCH) {
		t.Errorf("Open: %v, want ESRCH", err)
	}
	if err := id.Signal(unix.SIGTERM); !errors.Is(err, unix.ESRCH) {
		t.Errorf("Signal: %v, want ESRCH", err)
	}
	if err := errors.Join(unix.Kill(left, unix.SIGKILL), in.Close()); err != nil {
		t.Error(err)
	}
}

// A program on a disk that hangs holds up its own start: others are reaped
// meanwhile.
func TestStartHoldsUpNobody(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, first := reaper(), exec.Command("/bin/sh", "-c", "read line; exit 5")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	first.Stdin = in
	p, err := r.Start(first)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := r.Start(&exec.Cmd{Path: dir + "/program"})
		ended <- err
	}()
	poll.Until(t, "the start is under way", func() bool { return r.startsUnderWay() > 0 })
	// What hangs may hold copies of both ends.
	if _, err := out.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(testContext(t)); err != nil || status.Code != 5 {
		t.Errorf("beside a start that hangs: %v, %v", status, err)
	}
	select {
	case err := <-ended:
		t.Errorf("it does not hang: %v", err)
	default:
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("what hung has started")
	}
	if err := errors.Join(out.Close(), in.Close()); err != nil {
		t.Error(err)
	}
}

func (r *Reaper) startsUnderWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starting
}

// A child that has ended, and was reaped among hundreds of orphans, before its
// pid is known here keeps its status.
func TestChildThatEndsBeforeItIsEntered(t *testing.T) {
	r := reaper()
	r.begin(1)
	cmd := exec.Command("/bin/sh", "-c", "exit 6")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it is reaped", func() bool { return unix.Kill(cmd.Process.Pid, 0) != nil })
	storm := exec.Command("/bin/sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do (true &); i=$((i+1)); done", 2*remembered))
	if status, err := r.Run(testContext(t), storm); err != nil || !status.Success() {
		t.Fatal(status, err)
	}
	p := r.enter(cmd.Process.Pid)
	r.begin(-1)
	status, err := p.Wait(testContext(t))
	if err != nil || status.Code != 6 {
		t.Errorf("%v, %v", status, err)
	}
	if n := len(r.orphans); n > remembered {
		t.Errorf("%d exits are remembered when nothing starts", n)
	}
}
