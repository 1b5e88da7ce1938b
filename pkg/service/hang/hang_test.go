package hang

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/hung"
	"slipway/test/poll"
	"slipway/test/skip"
)

// A process waits for what lies in the place of a file that it opens: a pipe that nobody
// writes to, a lease that its holder does not give up.
func TestOpens(t *testing.T) {
	pipe, leased := t.TempDir()+"/pipe", t.TempDir()+"/leased"
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.WriteFile(leased, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	holder, err := os.OpenFile(leased, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{pipe, leased} {
		cat := exec.Command("cat", file)
		if err := cat.Start(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "cat waits for "+file, func() bool { return strings.HasPrefix(looked(0, cat.Process.Pid), "waits in ") })
		if err := cat.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cat.Wait(); err == nil {
			t.Errorf("%s was read", file)
		}
	}
}

// A process has opened a pipe that somebody holds open, and nobody writes to it: by
// read(2), and by what Go has in its place. Its standard streams may be such pipes.
func TestPipes(t *testing.T) {
	if name := os.Getenv("SLIPWAY_TEST_READS"); name != "" {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"/pipe", "/log"} {
		if err := unix.Mkfifo(dir+name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held := func(name string) *os.File {
		f, err := os.OpenFile(dir+name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	held("/pipe")
	inGo := exec.Command("/proc/self/exe", "-test.run=^TestPipes$")
	inGo.Env = append(os.Environ(), "SLIPWAY_TEST_READS="+dir+"/pipe")
	for _, reader := range []*exec.Cmd{exec.Command("cat", dir+"/pipe"), inGo} {
		reader.Stdin, reader.Stdout = held("/log"), held("/log")
		if err := reader.Start(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "it waits", func() bool {
			return looked(0, reader.Process.Pid) == "waits for somebody to write to "+dir+"/pipe"
		})
		if err := reader.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := reader.Wait(); err == nil {
			t.Error("the pipe was read")
		}
	}
	idle := exec.Command("cat")
	idle.Stdin, idle.Stdout = held("/log"), held("/log")
	if err := idle.Start(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it sleeps", func() bool {
		l := Now(0, []int{idle.Process.Pid})
		return len(l.pipes) == 0 && where(dirOf(idle.Process.Pid)) != ""
	})
	if got := looked(0, idle.Process.Pid); got != "" {
		t.Errorf("its standard input: %q", got)
	}
	if err := idle.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err == nil {
		t.Error("it has ended by itself")
	}
}

// looked makes two looks between which nothing that sleeps needs to run.
func looked(own int, pids ...int) string {
	return Now(own, pids).Since(Now(own, pids))
}

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	stat := func(disk, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, disk), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, disk, "stat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(thread string) Look {
		return Look{threads: map[string]string{"x": thread}, disks: disks(dir)}
	}
	const idle, old = "  9 0 8 1 7 0 6 5 0 4 3 0 0 0 0 2 1\n", "9 0 8 1 7 0 6 5 1 4 3\n"
	stat("vda", strings.Replace(idle, " 5 0", " 5 2", 1))
	stat("vdb", idle)
	stat("vdc", strings.Replace(idle, " 5 0", " 5 3", 1))
	before := look("7 1")
	stat("vdc", "  9 0 8 1 7 0 6 5 3 4 3 0 0 0 0 3 1\n") // has flushed once more
	if got := look("7 1").Since(before); got != "disk vda does not answer" {
		t.Errorf("%q", got)
	}
	if got := look("8 1").Since(before); got != "" {
		t.Errorf("it has run, and hangs: %q", got)
	}
	stat("vdb", old)
	before = look("7 1")
	if got := look("7 1").Since(before); got != "disks vda, vdb, vdc do not answer" {
		t.Errorf("%q", got)
	}
	if got := (Look{threads: before.threads}).Since(Look{threads: before.threads}); got != "waits in the kernel" {
		t.Errorf("%q", got)
	}
}

// A thread of ours and one of another process hang in a call on a file system
// without a server; those that wait for something else do not.
func TestThreads(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	tid, back := make(chan int), make(chan struct{})
	go func() {
		defer close(back)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		tid <- unix.Gettid()
		if _, err := os.Stat(dir + "/x"); err == nil {
			t.Error("there is a file")
		}
	}()
	own := <-tid
	other := exec.Command("stat", dir+"/x")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ own, pid int }{{own, 0}, {0, other.Process.Pid}} {
		poll.Until(t, "it waits", func() bool { return strings.HasPrefix(looked(c.own, c.pid), "waits in ") })
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	<-back
	if err := other.Wait(); err == nil {
		t.Error("there is a file")
	}
	quiet := exec.Command("cat")
	in, err := quiet.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := quiet.Start(); err != nil {
		t.Fatal(err)
	}
	if got := looked(own, other.Process.Pid, quiet.Process.Pid); got != "" {
		t.Errorf("nothing hangs any more, and %q", got)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := quiet.Wait(); err != nil {
		t.Error(err)
	}
}
