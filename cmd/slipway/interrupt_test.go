package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asProgram is the program itself, run by a shell that has done something before.
func asProgram(t *testing.T, before string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", before + `exec "$0" "$@"`, os.Args[0]}, args...)...)
	var told bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), commandVar+"=1"), &told
	return cmd, &told
}

// TestHangUp ends a build in good order, as Ctrl-C; under nohup it goes on.
func TestHangUp(t *testing.T) {
	for before, want := range map[string]int{"": 1, "trap '' HUP; ": 0} {
		if signal.Ignored(syscall.SIGHUP) {
			want = 0 // the tests run under nohup themselves
		}
		cmd, told := asProgram(t, before, "build", "--dry-run", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: when it is written, the program has begun to read.
		text := "init: [\"a:1\"]\n" + strings.Repeat("# no more\n", 100_000)
		if _, err := in.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait() // its status is what counts
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%q: exit status %d, want %d: %s", before, got, want, told)
		}
	}
}

// TestNobodyReads writes an image to a pipe that is closed: no file of its size may
// stay behind.
func TestNobodyReads(t *testing.T) {
	inStore(t)
	writeFile(t, "good.yml", "init: [test/empty:1]\n")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	cmd, told := asProgram(t, "", "build", "--offline", "-q", "-o", "-", "good.yml")
	cmd.Stdout = write
	err = cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(told.String(), "broken pipe") {
		t.Errorf("got %v: %s", err, told)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if err := write.Close(); err != nil {
		t.Error(err)
	}
}
