package run

import (
	"os"
	"os/exec"
	"testing"
)

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
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
		if _, err := child.Process.Wait(); err != nil {
			t.Error(err)
		}
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
