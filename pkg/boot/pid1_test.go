package boot

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/keeper"
	"slipway/pkg/machine"
	"slipway/pkg/reap"
	"slipway/test/skip"
)

// guest is a directory that the real program runs in as PID 1 of namespaces of its
// own. /proc is there before it, so it believes to be in a container, and
// reboot(2) ends the namespace: with SIGHUP for reboot, with SIGINT for the rest.
type guest struct {
	t    *testing.T
	root string
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	skip.UnlessRoot(t, "makes namespaces")
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		skip.Test(t, skip.Program, "busybox-static, for the scripts: ", err)
	}
	g := &guest{t, t.TempDir()}
	for _, d := range []string{"proc", "dev", "run", "tmp"} {
		if err := os.Mkdir(filepath.Join(g.root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	null := filepath.Join(g.root, "dev/null")
	if err := unix.Mknod(null, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	g.file("bin/busybox", string(busybox))
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(g.root, "init"), "slipway/cmd/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build init: %v\n%s", err, out)
	}
	return g
}

// file makes an executable file.
func (g *guest) file(name, text string) {
	g.t.Helper()
	name = filepath.Join(g.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// script makes a shell script for busybox.
func (g *guest) script(name, text string) {
	g.t.Helper()
	g.file(name, "#!/bin/busybox sh\nPATH=/bin\nalias kill='busybox kill'\n"+text+"\n")
}

// run boots the guest and returns its output and how it ended.
func (g *guest) run() (string, syscall.WaitStatus) { return g.runWith(func(int) {}) }

// runWith calls beside, when it runs, with the number of its PID 1 out here.
func (g *guest) runWith(beside func(pid int)) (string, syscall.WaitStatus) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// exec keeps the shell's number, which is 1.
	cmd := exec.CommandContext(ctx, "/bin/busybox", "sh", "-c", "/bin/busybox mount -t proc proc /proc && exec /init")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     g.root,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		// What is mounted in here must not be seen outside.
		Unshareflags: unix.CLONE_NEWNS,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Start()
	if err == nil {
		beside(cmd.Process.Pid)
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		g.t.Fatalf("did not end\n%s", out.String())
	}
	if cmd.ProcessState == nil {
		g.t.Fatalf("did not start: %v", err)
	}
	return out.String(), cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// inOrder checks that the lines are in the output, one after the other.
func inOrder(t *testing.T, out string, lines ...string) {
	t.Helper()
	rest := out
	for _, l := range lines {
		_, after, ok := strings.Cut(rest, l)
		if !ok {
			t.Fatalf("no %q where it should be in\n%s", l, out)
		}
		rest = after
	}
}

const fakeService = `
if [ "$1" != supervise ]; then echo "script $0"; exit 0; fi
echo "supervisor starts"
trap 'echo "supervisor stops"; exit 0' TERM
echo ready >&3
exec 3>&-
while :; do busybox sleep 0.1; done`

func TestPID1RunsTheDirectoriesInOrder(t *testing.T) {
	g := newGuest(t)
	g.script("usr/bin/service", fakeService)
	g.script("etc/init.d/001-first", "echo one")
	g.script("etc/init.d/002-fails", "echo two; exit 3")
	g.file("etc/init.d/003-broken", "\x7fnot a program")
	g.script("etc/init.d/030-last", "echo three; busybox kill -USR2 1; busybox sleep 1000")
	g.file("etc/init.d/004-interpreter", "#!/usr/bin/perl\n")
	g.script("etc/shutdown.d/010-x", "echo down; exit 4")
	for _, name := range []string{"init.d/010-onboot", "init.d/020-containerd", "init.d/021-services", "shutdown.d/020-onshutdown"} {
		if err := os.Symlink("/usr/bin/service", filepath.Join(g.root, "etc", name)); err != nil {
			t.Fatal(err)
		}
	}
	out, status := g.run()
	// PID 1 writes beside what it does, so its lines have no place among others.
	inOrder(t, out, "one", "two", "script /etc/init.d/010-onboot", "supervisor starts", "three", "down",
		"script /etc/shutdown.d/020-onshutdown", "supervisor stops")
	inOrder(t, out, "slipway: /etc/init.d/002-fails: failed: exit status 3", "slipway: /etc/init.d/003-broken: failed: start",
		`it needs "/usr/bin/perl", which the image does not have`, "slipway: poweroff: going down",
		"slipway: /etc/shutdown.d/010-x: failed: exit status 4")
	if n := strings.Count(out, "supervisor starts"); n != 1 {
		t.Errorf("the supervisor was started %d times\n%s", n, out)
	}
	note, err := machine.ReadScripts(filepath.Join(g.root, "run/slipway"))
	if err != nil || note.Over || len(note.Failed) != 3 || note.Failed[0] != "/etc/init.d/002-fails: exit status 3" || note.Running != "/etc/init.d/030-last" {
		t.Errorf("PID 1 has left the note %+v, %v", note, err)
	}
	if !status.Signaled() || status.Signal() != unix.SIGINT {
		t.Errorf("ended with %#x, not by reboot(2) for a power-off\n%s", status, out)
	}
}

func TestPID1StartsTheSupervisorAgain(t *testing.T) {
	g := newGuest(t)
	g.script("usr/bin/service", `echo "4 is $(busybox readlink /proc/$$/fd/4)"; echo $$ >> /run/pids`+fakeService)
	g.script("etc/init.d/030-kill", `busybox kill -9 $(busybox tail -n1 /run/pids)
while [ $(busybox wc -l < /run/pids) -lt 2 ]; do busybox sleep 0.05; done
# It must not end before its parent, which might reap it.
echo > /run/hold
(busybox sh -c 'while [ -e /run/hold ]; do busybox sleep 0.05; done; exit 42' & echo $! > /run/orphan)
busybox rm /run/hold
while [ -e /proc/$(busybox cat /run/orphan) ]; do busybox sleep 0.05; done
busybox kill -TERM 1`)
	if err := os.Symlink("/usr/bin/service", filepath.Join(g.root, "etc/init.d/020-services")); err != nil {
		t.Fatal(err)
	}
	out, status := g.run()
	inOrder(t, out, "4 is socket:", "supervisor starts", "4 is socket:", "supervisor starts", "supervisor stops")
	text, err := os.ReadFile(filepath.Join(g.root, "run/orphan"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	exit, err := keeper.Wait(t.Context(), filepath.Join(g.root, "run/slipway"), reap.Ident{Pid: pid})
	if err != nil || exit.Status.Code != 42 {
		t.Errorf("the ledger has %v, %v of the orphan that exited with 42", exit.Status, err)
	}
	if !status.Signaled() || status.Signal() != unix.SIGHUP {
		t.Errorf("ended with %#x, not by reboot(2) for a reboot\n%s", status, out)
	}
}

// A thousand orphans at once leave no zombie, and none of the statuses that
// somebody waits for is lost meanwhile.
func TestPID1ReapsAStorm(t *testing.T) {
	g := newGuest(t)
	g.script("etc/init.d/010-storm", `i=0
while [ $i -lt 1000 ]; do (busybox true &); i=$((i+1)); done
(exit 7) & wait $!; echo "status $?"`)
	g.script("etc/init.d/020-status", "exit 9")
	g.script("etc/init.d/030-zombies", `i=0
while [ $i -lt 100 ]; do
  z=$(busybox grep -l "^State:.Z" /proc/[0-9]*/status 2>/run/none | busybox wc -l)
  [ $z = 0 ] && break
  i=$((i+1)); busybox sleep 0.1
done
echo "zombies $z"`)
	out, status := g.run()
	inOrder(t, out, "status 7", "zombies 0")
	if !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("a container without processes ended with %#x\n%s", status, out)
	}
}

// Signals that have no meaning for PID 1 do nothing, in the hands of Go above all.
func TestPID1SurvivesSignals(t *testing.T) {
	g := newGuest(t)
	g.script("etc/init.d/010-signals", `
s=1
while [ $s -le 64 ]; do
  case $s in 2|10|12|15|30|37|38|39|40) ;; *) busybox kill -$s 1;; esac
  s=$((s+1))
done
echo "$(busybox head -n1 /proc/1/status) lives"`)
	out, status := g.run()
	inOrder(t, out, "lives")
	if !status.Exited() || status.ExitStatus() != 0 {
		t.Errorf("ended with %#x\n%s", status, out)
	}
}

// What does not end by itself is ended, without a pause if it obeys.
func TestPID1EndsWhatIsLeft(t *testing.T) {
	g := newGuest(t)
	g.script("etc/init.d/010-leave", `
busybox sh -c 'trap "echo obeys; exit" TERM; echo >/run/a; while :; do busybox sleep 0.1; done' &
busybox setsid busybox sleep 100000 &
while [ ! -e /run/a ]; do busybox sleep 0.05; done
busybox kill -USR1 1`)
	out, status := g.run()
	// PID 1 writes beside what it does, so its lines have no place among others.
	inOrder(t, out, "slipway: halt: going down")
	inOrder(t, out, "obeys")
	if strings.Contains(out, "still there") {
		t.Errorf("processes that obey SIGTERM were waited for\n%s", out)
	}
	if !status.Signaled() || status.Signal() != unix.SIGINT {
		t.Errorf("ended with %#x, not by reboot(2) for a halt\n%s", status, out)
	}
}
