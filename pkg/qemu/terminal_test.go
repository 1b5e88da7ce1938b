package qemu

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/poll"
	"slipway/test/skip"
)

// openPTY makes a terminal: what is written to keys is typed on it.
func openPTY(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		skip.Test(t, skip.Terminal, err)
	}
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keys, tty
}

func TestTerminal(t *testing.T) {
	_, tty := openPTY(t)
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 132, Row: 50}); err != nil {
		t.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	term, err := OpenTerminal(tty, tty)
	if err != nil || term == nil {
		t.Fatalf("%v, %v", term, err)
	}
	raw, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || raw.Lflag&(unix.ISIG|unix.ICANON|unix.ECHO) != 0 {
		t.Errorf("Ctrl-C would not reach the guest: flags %#x, %v", raw.Lflag, err)
	}
	if got := WindowSize(tty); got != "slipway.winsize=132x50" {
		t.Errorf("window size %q", got)
	}
	for range 2 {
		if err := term.Restore(); err != nil {
			t.Error(err)
		}
	}
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal was %+v and is %+v, %v", before, after, err)
	}
}

func TestNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	term, err := OpenTerminal(r, w)
	if term != nil || err != nil || term.Restore() != nil || WindowSize(w) != "" {
		t.Errorf("a pipe is a terminal: %v, %v", term, err)
	}
}

func TestEscapeKey(t *testing.T) {
	keys, tty := openPTY(t)
	term, err := OpenTerminal(tty, tty)
	if err != nil {
		t.Fatal(err)
	}
	defer term.Restore()
	script := greet + `x=$(head -c 3 <&3 | od -An -tx1); echo "got$x" >&3; exec sleep 60`
	shown := make(chan string, 16)
	vm, err := Start(Config{Binary: fakeQEMU(t, script), Boot: Boot{Disk: "d"}}, Watch{}, Console{Output: chanWriter(shown)})
	if err != nil {
		t.Fatal(err)
	}
	go vm.Type(tty, term)
	if _, err := keys.Write([]byte("a\x03b")); err != nil {
		t.Fatal(err)
	}
	if got, want := <-shown, "got 61 03 62\n"; got != want {
		t.Errorf("the guest shows %q, want %q", got, want)
	}
	// Once asks, twice ends.
	if _, err := keys.Write([]byte("\x1d\x1d")); err != nil {
		t.Fatal(err)
	}
	if res := vm.Wait(); res.Ending != Stopped {
		t.Errorf("%s", res)
	}
}

type chanWriter chan string

func (c chanWriter) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

// TestMain lets this program be the one that runs a machine and is killed.
func TestMain(m *testing.M) {
	if binary := os.Getenv("TEST_FAKE_QEMU"); binary != "" {
		vm, err := Start(Config{Binary: binary, Boot: Boot{Disk: "d"}}, Watch{}, Console{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(vm.Pid())
		vm.Wait()
	}
	os.Exit(m.Run())
}

func TestKillLeavesNoQEMU(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_FAKE_QEMU="+fakeQEMU(t, "exec sleep 600"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	poll.Until(t, "QEMU goes with the program that ran it", func() bool { return !running(pid) })
}

// running is false for a zombie too: who reaps the orphan is not ours to say.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
