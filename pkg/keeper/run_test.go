package keeper

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
	"slipway/test/poll"
)

// The test binary is three programs: the test, the keeper, and the supervisor,
// whose last byte says how it behaves.
const (
	asKeeper     = "SLIPWAY_TEST_KEEPER"
	asSupervisor = "SLIPWAY_TEST_SUPERVISOR"
	works, fails = '+', '-'
	stays        = '=' // it stops the services, and does not end
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asSupervisor) != "":
		beSupervisor()
	case os.Getenv(asKeeper) != "":
		beKeeper(os.Getenv(asKeeper))
	default:
		os.Exit(m.Run())
	}
}

func beKeeper(program string) {
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer cancel()
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	k := &Keeper{
		Reaper: reap.New(), Program: program, Say: say, MaxPause: time.Millisecond,
		Ready: func() { say("ready") },
		Command: func(program string) *exec.Cmd {
			cmd := exec.Command(program)
			cmd.Env = []string{asSupervisor + "=1"}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			return cmd
		},
	}
	if err := k.Run(ctx); err != nil {
		say("run: %s", err)
	}
	say("end")
}

func beSupervisor() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil || data[len(data)-1] == fails {
		os.Exit(9)
	}
	fmt.Printf("pid %d of version %c\n", os.Getpid(), data[len(data)-2])
	words := os.NewFile(3, "words")
	fmt.Fprintf(words, "up\nready\n")
	<-stop
	if data[len(data)-1] == stays {
		fmt.Fprintf(words, "down\n")
		time.Sleep(time.Hour)
	}
}

// program puts a version of the supervisor in its place, at once or not at all.
func program(t *testing.T, path, content string) {
	t.Helper()
	if len(content) == 2 {
		self, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		content = string(self) + content
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// voice is what keeper and supervisor say, line by line.
type voice struct {
	t     *testing.T
	lines chan string
}

func startKeeper(t *testing.T, path string) (*voice, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asKeeper+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	v := &voice{t, make(chan string, 100)}
	go func(r io.Reader) {
		defer close(v.lines)
		for in := bufio.NewScanner(r); in.Scan(); {
			v.lines <- in.Text()
		}
	}(out)
	return v, cmd
}

// hear waits for a line and gives what its pattern catches; none of the lines
// before may match never.
func (v *voice) hear(pattern, never string) string {
	v.t.Helper()
	timeout := time.After(poll.Longest)
	for {
		select {
		case line, more := <-v.lines:
			if !more {
				v.t.Fatalf("the keeper ended before %q", pattern)
			}
			v.t.Log(line)
			if m := regexp.MustCompile(pattern).FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
			if never != "" && regexp.MustCompile(never).MatchString(line) {
				v.t.Fatalf("%q before %q", line, pattern)
			}
		case <-timeout:
			v.t.Fatalf("no %q", pattern)
		}
	}
}

func (v *voice) kill(pid string, sig unix.Signal) {
	v.t.Helper()
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = unix.Kill(n, sig)
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// TestKeeper: it starts the supervisor again whatever ends it, continues it when
// it is stopped, takes a new program that works and goes back from one that
// does not.
func TestKeeper(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service")
	program(t, path, "1+")
	v, cmd := startKeeper(t, path)
	pid := v.hear(`^pid (\d+) of version 1`, "")
	v.hear("^ready", "")

	v.kill(pid, unix.SIGSTOP)
	v.hear("was stopped by a signal, continued", "ended")
	v.kill(pid, unix.SIGTERM) // a clean end is no reason to stay down
	v.hear(`ended \(exit status 0\)`, "")
	pid = v.hear(`^pid (\d+) of version 1`, "")

	program(t, path, "2-")
	v.kill(pid, unix.SIGKILL)
	for range maxFailures {
		v.hear(`ended \(exit status 9\)`, "^pid")
	}
	v.hear("does not come up; the program before goes on", "")
	pid = v.hear(`^pid (\d+) of version 1`, "")
	v.kill(pid, unix.SIGKILL) // the bad one is not tried again
	pid = v.hear(`^pid (\d+) of version 1`, "exit status 9")

	program(t, path, "no program at all")
	v.kill(pid, unix.SIGKILL)
	v.hear("exec format error", "^pid")
	pid = v.hear(`^pid (\d+) of version 1`, "")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	v.kill(pid, unix.SIGKILL)
	v.hear("no such file or directory; the program before goes on", "")
	pid = v.hear(`^pid (\d+) of version 1`, "")

	program(t, path, "3+")
	v.kill(pid, unix.SIGKILL)
	pid = v.hear(`^pid (\d+) of version 3`, "")
	program(t, path, "4-")
	v.kill(pid, unix.SIGKILL)
	v.hear(`^pid (\d+) of version 3`, "version 1")

	if n := countFiles(t, cmd.Process.Pid); n > 1 {
		t.Errorf("the keeper holds %d programs open", n)
	}
	v.kill(strconv.Itoa(cmd.Process.Pid), unix.SIGTERM)
	v.hear("^end", "ended")
}

// countFiles counts the programs a process has open.
func countFiles(t *testing.T, pid int) (n int) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.Contains(name, "/service") {
			n++
		}
	}
	return n
}

// TestSupervisorThatStays: one that has stopped the services, and cannot end, is
// left behind, and its word counts at the end only.
func TestSupervisorThatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service")
	program(t, path, "1=")
	v, cmd := startKeeper(t, path)
	pid := v.hear(`^pid (\d+) of version 1`, "")
	v.hear("^ready", "")
	v.kill(strconv.Itoa(cmd.Process.Pid), unix.SIGTERM)
	v.hear("does not end: left behind", "ended")
	v.hear("^end", "ended")
	v.kill(pid, unix.SIGKILL)
}
