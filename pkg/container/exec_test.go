package container

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
	"slipway/test/poll"
)

// scripted is an engine whose OCI runtime is a shell script.
func scripted(t *testing.T, script string) *Engine {
	t.Helper()
	return scriptedAs(t, "runc", script)
}

func scriptedAs(t *testing.T, name, script string) *Engine {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, name)
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Engine{Runtimes: &runtime.Machine{Runtimes: []*runtime.Runtime{{Path: program, Reaper: reaper}}}, Reaper: reaper,
		RunDir: dir, Log: slog.New(slog.DiscardHandler)}
}

func leftOf(t *testing.T, e *Engine) []string {
	t.Helper()
	names, err := filepath.Glob(e.RunDir + "/exec-*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestExecSession(t *testing.T) {
	for script, want := range map[string]reap.Status{
		"exit 7":     {Code: 7},
		"kill -9 $$": {Signal: unix.SIGKILL},
		`echo '{"level":"error","msg":"exec: \"x\": executable file not found in $PATH"}' >$4; exit 255`: {Code: 127},
		"exit 255": {Code: 255},
	} {
		e := scripted(t, script)
		s, err := e.begin(&bundle.Bundle{Name: "web"}, Program{Args: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Wait(t.Context()); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", script, got, err, want)
		}
		if left := leftOf(t, e); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// A program on a terminal finds the terminal's size when it begins, and is
// what the bundle says of its programs beside what was asked for.
func TestExecKnowsTheTerminalsSize(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 37, Col: 101}); err != nil {
		t.Fatal(err)
	}
	e := scripted(t, `while [ $# -gt 1 ]; do [ $1 = --process ] && cp $2 $(dirname $0)/seen; shift; done; exec echo "$@"`)
	b := &bundle.Bundle{Name: "web", Spec: &specs.Spec{Process: &specs.Process{Args: []string{"web"}, Env: []string{"A=1"}, Cwd: "/srv"}}}
	s, err := e.begin(b, Program{Args: []string{"sh"}, Env: []string{"TERM=vt100"}, Terminal: true, Stdin: terminal})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(e.RunDir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"terminal":true,"consoleSize":{"height":37,"width":101},"user":{"uid":0,"gid":0},"args":["sh"],"env":["A=1","TERM=vt100"],"cwd":"/srv"}`
	if string(data) != want {
		t.Errorf("the runtime is told %s\nwant %s", data, want)
	}
	if b.Spec.Process.Terminal || len(b.Spec.Process.Env) != 1 {
		t.Errorf("the bundle has changed: %+v", b.Spec.Process)
	}
}

// A window that changes reaches a program through a runtime that passes on the signal
// alone (crun), as one that changes its terminal.
func TestExecSeesTheWindowChange(t *testing.T) {
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	e := scriptedAs(t, "crun", `exec 5</dev/null 6<>/dev/ptmx; touch $(dirname $0)/ready
		until [ "$(stty size <&6)" = "41 91" ]; do sleep .01; done; exit 7`)
	s, err := e.begin(&bundle.Bundle{Name: "web"}, Program{Args: []string{"x"}, Terminal: true, Stdin: outer})
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the runtime has a terminal", func() bool { _, err := os.Stat(filepath.Join(e.RunDir, "ready")); return err == nil })
	if err := unix.IoctlSetWinsize(int(outer.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 41, Col: 91}); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(unix.SIGWINCH); err != nil {
		t.Error(err)
	}
	if got, err := s.Wait(t.Context()); err != nil || got.Code != 7 {
		t.Errorf("%v %v", got, err)
	}
	if err := s.Signal(unix.SIGWINCH); !errors.Is(err, unix.ESRCH) {
		t.Errorf("of one that has ended: %v", err)
	}
}

// A probe that takes too long is killed with its program, and leaves nothing.
func TestExecIsKilled(t *testing.T) {
	e := scripted(t, `while [ $# -gt 0 ]; do [ $1 = --pid-file ] && file=$2; shift; done; sleep 1000 & echo $! >$file; wait`)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := e.Exec(ctx, &bundle.Bundle{Name: "web"}, []string{"x"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("killed after %s", took)
	}
	if left := leftOf(t, e); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/exec-1", 0o700), os.Mkdir(dir+"/containers", 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := Forget(dir); err != nil {
		t.Fatal(err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 || all[0].Name() != "containers" {
		t.Errorf("%v %v", all, err)
	}
}
