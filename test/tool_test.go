package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slipway/test/poll"
	"slipway/test/skip"
)

// tool is the real program with a real image, as a test suite of somebody uses
// them.
type tool struct {
	binary, dir string
}

// makeTool builds the program and the image of testdata/tool.yml with it.
func makeTool(t *testing.T) *tool {
	t.Helper()
	t.Parallel()
	skip.IfShort(t)
	needImages(t)
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tl := &tool{binary: binary, dir: dir}
	tl.want(t, 0, "", "build", "--offline", "-q", "--dir", dir, "--name", "box", "testdata/tool.yml")
	return tl
}

// program is slipway, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	file, err := filepath.Abs(filepath.Join(artefacts, "tool", "slipway"))
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-trimpath", "-o", file, "../cmd/slipway").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build slipway: %w\n%s", err, out)
	}
	return file, nil
})

func (tl *tool) image() string { return filepath.Join(tl.dir, "box") }

func (tl *tool) command(args ...string) *exec.Cmd {
	cmd := exec.Command(tl.binary, args...)
	cmd.Env = append(os.Environ(), "LINUXKIT_QEMU_ACCEL="+*accel)
	return cmd
}

// want runs a command to its end: it must have that exit status, and say what
// the pattern asks for.
func (tl *tool) want(t *testing.T, status int, pattern string, args ...string) {
	t.Helper()
	out, err := tl.command(args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	got := 0
	if exit != nil {
		got = exit.ExitCode()
	}
	if got != status || !regexp.MustCompile(pattern).Match(out) {
		t.Errorf("slipway %q: status %d, want %d and %q:\n%s", args, got, status, pattern, out)
	}
}

// await waits until a file matches, and says what there was if it never does.
func await(t *testing.T, file, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var data []byte
	is := func() bool {
		data, _ = os.ReadFile(file)
		return re.Match(data)
	}
	poll.Until(t, file+": "+pattern, is, func() string { return string(data) })
}

// machines lists the QEMU processes that run a file of this tool's directory.
func (tl *tool) machines(t *testing.T) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err == nil && bytes.HasPrefix(data, []byte("/")) && bytes.Contains(data, []byte("qemu-system")) && bytes.Contains(data, []byte(tl.dir)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// wantNoMachine gives QEMU the moment that a killed process takes to go.
func (tl *tool) wantNoMachine(t *testing.T, after string) {
	t.Helper()
	var left []int
	is := func() bool { left = tl.machines(t); return len(left) == 0 }
	poll.Until(t, after+": QEMU has ended", is, func() string {
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended now
		}
		return fmt.Sprint("pids ", left)
	})
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestToolBackground runs a machine in the background with everything plugged
// in, looks at it from the host in every way there is, and stops it.
func TestToolBackground(t *testing.T) {
	tl := makeTool(t)
	log, disk, port := filepath.Join(tl.dir, "log"), filepath.Join(tl.dir, "d.img"), freePort(t)
	data, chart := filepath.Join(tl.dir, "metadata"), filepath.Join(tl.dir, "background.svg")
	for name, text := range map[string]string{data: "from a file", disk: "mine0" + strings.Repeat("\x00", 4091)} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish := fmt.Sprintf("127.0.0.1:%d:80", port)
	run := []string{"run", "--detach", "--log", log, "--publish", publish, "--disk", disk, "--data-file", data, "--boot-chart", chart, tl.image()}
	tl.want(t, 0, "runs in the background", run...)
	defer tl.wantNoMachine(t, "at the end")

	await(t, log, `metadata: from a file\n(.*\n)*disk held mine0\n(.*\n)*slipway: services web: ready`)
	await(t, chart, "</svg>")
	wantChart(t, chart, "web ready: ")
	body := get(t, port)
	if !strings.Contains(body, "root:x:0:0") {
		t.Errorf("the web server in the machine says %q", body)
	}
	tl.want(t, 1, "a machine runs there already", run...)
	tl.want(t, 1, fmt.Sprintf("publish port %d of this host: .*address already in use", port), "run", "--publish", publish, "--state", filepath.Join(tl.dir, "other"), tl.image())
	tl.want(t, 6, "QEMU died: .*lock", "run", "--detach", "--disk", disk, "--state", filepath.Join(tl.dir, "third"), tl.image())
	if _, err := os.Stat(filepath.Join(tl.dir, "third")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused machine has left its state directory: %v", err)
	}
	tl.want(t, 0, `box-state\n`, "ps")
	tl.console(t)
	tl.want(t, 0, "the guest powered off", "stop", tl.image())
	tl.want(t, 1, "no machine runs in the background", "stop", tl.image())
	tl.want(t, 1, "no machine runs in the background", "console", tl.image())
	tl.want(t, 1, "no machine runs in the background", "stop", "nothing-of-that-name")
	if got, err := os.ReadFile(disk); err != nil || string(got[:5]) != "kept0" || len(got) != 4096 {
		t.Errorf("the disk: %d bytes, %.5q, %v", len(got), got, err)
	}

	// One whose slipway is killed leaves nothing that is in the way of the next.
	tl.want(t, 0, "runs in the background", "run", "--detach", tl.image())
	pid, err := os.ReadFile(tl.image() + "-state/pid")
	if err != nil {
		t.Fatal(err)
	}
	background, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(background, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	tl.wantNoMachine(t, "kill -9 of the background slipway")
	tl.want(t, 1, "no machine runs in the background", "stop", tl.image())
	tl.want(t, 0, "runs in the background", "run", "--detach", tl.image())
	tl.want(t, 0, "stopped from outside", "stop", "--kill", tl.image())
}

func get(t *testing.T, port int) string {
	t.Helper()
	client := http.Client{Timeout: time.Minute}
	r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/passwd", port))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

// console types a command at the machine's shell and waits for what it prints.
func (tl *tool) console(t *testing.T) {
	t.Helper()
	cmd := tl.command("console", tl.image())
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen := filepath.Join(tl.dir, "screen")
	out, err := os.Create(screen)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, screen, `services web: ready`) // what was there before
	await(t, screen, `~# `)
	if _, err := io.WriteString(keys, "echo typed=$((20+22))\n"); err != nil {
		t.Error(err)
	}
	await(t, screen, `typed=42`)
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), keys.Close()); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a console that was ended by a signal says that all is well")
	}
}

// TestToolStatus wants each ending told apart by the exit status, and no QEMU
// left behind by any, however it was brought about.
func TestToolStatus(t *testing.T) {
	tl := makeTool(t)
	log, chart := filepath.Join(tl.dir, "log"), filepath.Join(tl.dir, "boot.svg")
	tl.want(t, 0, `boot chart: .*boot.svg\r?\n(.*\n)*.*report: ok`, "run", "--report", "--boot-chart", chart, "--expect", "web: ready", "--log", log, "--data", "from a word", "--disk", filepath.Join(tl.dir, "new.img")+",size=1M", tl.image())
	await(t, log, `metadata: from a word\n(.*\n)*disk held \x00*\n(.*\n)*slipway: report: ok`)
	wantChart(t, chart, "box: ready ", "kernel", "pid1", "000-dhcp", "001-devices", "web ready: ", "web run: since ", "getty create: ")
	tl.want(t, 7, "failure on the console: .*Linux version", "run", "--fail-on", "Linux version", tl.image())
	tl.media(t)
	tl.want(t, 5, "timeout: still running after 2s", "run", "--timeout", "2s", "--expect", "never", tl.image())
	tl.want(t, 1, "found neither a disk or ISO of that name nor", "run", filepath.Join(tl.dir, "bax"))
	tl.want(t, 1, "no such file", "run", "--data-file", filepath.Join(tl.dir, "none"), tl.image())
	tl.want(t, 2, "is for x86_64", "run", "--arch", "arm64", tl.image())
	tl.want(t, 2, "unknown flag: --expct", "run", "--expct", "x", tl.image())
	tl.wantNoMachine(t, "machines that ended")

	tl.signalled(t, syscall.SIGKILL, "Run /init", -1)
	tl.signalled(t, syscall.SIGINT, "boot done", 0)
}

// media finds every format by the image's name, or by a flag, up to the kernel's
// first line.
func (tl *tool) media(t *testing.T) {
	t.Helper()
	tl.want(t, 0, "", "build", "--offline", "-q", "--dir", tl.dir, "--name", "disc", "-f", "iso-efi", "testdata/tool.yml")
	tl.want(t, 0, "", "build", "--offline", "-q", "--dir", tl.dir, "--name", "box", "-f", "kernel+squashfs,qcow2-efi,containerdisk", "testdata/tool.yml")
	started := "failure on the console: .*Linux version"
	for _, args := range [][]string{{"--iso", "disc"}, {"box-efi.qcow2"}, {"--squashfs", "box"}, {"--kernel", "box"}} {
		args[len(args)-1] = filepath.Join(tl.dir, args[len(args)-1])
		tl.want(t, 7, started, append([]string{"run", "--timeout", "5m", "--fail-on", "Linux version"}, args...)...)
	}
	// By its name alone it is found as what it is, and then refused.
	tl.want(t, 2, "command line of disc is inside it", "run", "--append", "x=y", filepath.Join(tl.dir, "disc"))
	tl.want(t, 1, "container disk is run by KubeVirt", "run", filepath.Join(tl.dir, "box-containerdisk.tar"))
}

// signalled runs a machine in the foreground and, once the console matches,
// signals slipway, which must end with that status (-1: by the signal).
func (tl *tool) signalled(t *testing.T, sig syscall.Signal, when string, status int) {
	t.Helper()
	log := filepath.Join(tl.dir, "log-"+sig.String())
	cmd := tl.command("run", "--log", log, tl.image())
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, log, when)
	if len(tl.machines(t)) != 1 {
		t.Error("no QEMU runs while the machine does")
	}
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("after %s: status %d (%v), want %d:\n%s", sig, got, err, status, &out)
	}
	tl.wantNoMachine(t, sig.String())
}
