package boot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/poll"
	"slipway/test/skip"
)

// pidsGroup makes a cgroup that can bound the number of tasks.
func pidsGroup(t *testing.T) string {
	t.Helper()
	for _, parent := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		dir, err := os.MkdirTemp(parent, "slipway-threads-")
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			poll.Until(t, "the last of its processes is out of "+dir, func() bool { return !errors.Is(unix.Rmdir(dir), unix.EBUSY) })
		})
		if _, err := os.Stat(filepath.Join(dir, "pids.max")); err == nil {
			return dir
		}
	}
	skip.Test(t, skip.Pids, "to leave no room for a thread")
	return ""
}

// asBlocked makes the test binary block as many calls at a time as may.
const asBlocked = "SLIPWAY_TEST_BLOCKED"

// asCalled makes it say what Called says of its arguments.
const asCalled = "SLIPWAY_TEST_CALLED"

func TestMain(m *testing.M) {
	if os.Getenv(asCalled) != "" {
		fmt.Println(Called(os.Args))
		return
	}
	if how := os.Getenv(asBlocked); how != "" {
		blockAll(how)
		return
	}
	os.Exit(m.Run())
}

// blockAll begins when it is told that no thread can be made any more.
func blockAll(how string) {
	if how == "reserved" {
		reserveThreads()
	}
	fmt.Println("up")
	var p [2]int
	if _, err := fmt.Scanln(); err == nil {
		fmt.Println("told", how)
	}
	if err := unix.Pipe(p[:]); err != nil {
		panic(err)
	}
	var begun sync.WaitGroup
	for range diskThreads + otherThreads/2 {
		begun.Add(1)
		go func() {
			begun.Done()
			if _, err := unix.Read(p[0], make([]byte, 1)); err != nil {
				panic(err)
			}
		}()
	}
	begun.Wait()
	for range 20 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	fmt.Println("alive")
}

// As many calls as may hang at a time do, and no thread can be made: the rest
// goes on. Without the reserve that is the end, which shows that it is needed.
func TestReservedThreads(t *testing.T) {
	for how, want := range map[string]string{"reserved": "^alive$", "none": "failed to create new OS thread|pthread_create failed"} {
		group := pidsGroup(t)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), asBlocked+"="+how)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := func() string {
			data, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		poll.Until(t, "it is up", func() bool { return strings.Contains(said(), "up") }, said)
		for name, text := range map[string]string{"cgroup.procs": fmt.Sprint(cmd.Process.Pid), "pids.max": "1"} {
			if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if text := said(); !regexp.MustCompile("(?m)"+want).MatchString(text) || (err == nil) != (how == "reserved") {
			t.Errorf("%s: %v\n%s", how, err, text)
		}
	}
}

// No process or thread can be made any more, as under a fork bomb: PID 1 reaps,
// starts the supervisor again in the room that the dead one leaves, listens to
// signals, goes down without what it cannot start, and ends.
func TestPID1NeedsNoThread(t *testing.T) {
	g := newGuest(t)
	group := pidsGroup(t)
	g.script("usr/bin/service", `echo $$ >> /run/pids
echo "supervisor starts"
trap 'echo "supervisor stops"; exit 0' TERM
echo ready >&3
exec 3>&-
while :; do read -t 0.1 line </run/wait; done`)
	g.script("etc/init.d/030-up", "echo > /run/up; exec busybox sleep 100000")
	g.script("etc/shutdown.d/010-x", "echo never")
	if err := os.Symlink("/usr/bin/service", filepath.Join(g.root, "etc/init.d/020-services")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(g.root, "run/wait"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	pids := func() int { return strings.Count(read(filepath.Join(g.root, "run/pids")), "\n") + 1 }
	out, status := g.runWith(func(pid int) {
		poll.Until(t, "boot", func() bool { _, err := os.Stat(filepath.Join(g.root, "run/up")); return err == nil })
		write("cgroup.procs", fmt.Sprint(pid))
		// The first one that is killed is not in the group, its successors are.
		for i := range 3 {
			before := pids()
			if err := unix.Kill(childOf(t, pid, "service"), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			poll.Until(t, "supervisor", func() bool { return pids() > before })
			if i == 0 {
				write("pids.max", read(filepath.Join(group, "pids.current")))
			}
		}
		write("pids.max", "1")
		for _, sig := range []unix.Signal{unix.SIGCHLD, unix.SIGHUP, unix.SIGUSR2} {
			if err := unix.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
		}
	})
	inOrder(t, out, "supervisor starts", "slipway: poweroff: going down", "010-x: failed: start", "slipway: poweroff")
	if strings.Contains(out, "runtime:") || strings.Contains(out, "never") {
		t.Errorf("it made a thread or a process\n%s", out)
	}
	if !status.Signaled() || status.Signal() != unix.SIGINT {
		t.Errorf("ended with %#x, not by reboot(2) for a power-off\n%s", status, out)
	}
}

// childOf finds a child by its name, which for a script is that of its file.
func childOf(t *testing.T, parent int, name string) int {
	t.Helper()
	pid := 0
	poll.Until(t, fmt.Sprintf("%d has a child %s", parent, name), func() bool {
		for _, p := range processes() {
			_, fields, ok := readStat(fmt.Sprintf("/proc/%d", p.pid))
			if ok && p.name == name && fields[1] == fmt.Sprint(parent) {
				pid = p.pid
			}
		}
		return pid != 0
	})
	return pid
}
