package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/pkg/reap"
)

func TestArgs(t *testing.T) {
	c := Call{ID: "000-a", Bundle: "/b", PidFile: "/p", Log: "/l"}
	for verb, want := range map[string]string{
		"create": "--root /run/runc --log /l --log-format json create --bundle /b --pid-file /p -- 000-a",
		"run":    "--root /run/runc --log /l --log-format json run --detach --bundle /b --pid-file /p -- 000-a",
		"start":  "--root /run/runc --log /l --log-format json start -- 000-a",
		"delete": "--root /run/runc --log /l --log-format json delete --force -- 000-a",
	} {
		if got := strings.Join((&Runtime{}).Args(verb, c), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", verb, got, want)
		}
	}
	crun := (&Runtime{Path: "/opt/crun-1.28"}).Args("start", c)
	if got, want := strings.Join(crun, " "), "--root /run/crun --cgroup-manager cgroupfs --log /l --log-format json start -- 000-a"; got != want {
		t.Errorf("crun:\n got %s\nwant %s", got, want)
	}
	debug := (&Runtime{Root: "/r", Debug: true}).Args("start", c)
	if got, want := strings.Join(debug, " "), "--root /r --log /l --log-format json --debug start -- 000-a"; got != want {
		t.Errorf("debug:\n got %s\nwant %s", got, want)
	}
}

// TestBound: a policy's time is not cut short, and a call that nobody bounds is.
func TestBound(t *testing.T) {
	begin := time.Now()
	policy, cancel := context.WithDeadline(t.Context(), begin.Add(time.Hour))
	defer cancel()
	for name, c := range map[string]struct {
		of    context.Context
		own   time.Duration
		least time.Duration
		most  time.Duration
	}{
		"policy":  {policy, 0, time.Hour, time.Hour},
		"nobody":  {t.Context(), 0, defaultTimeout, time.Hour},
		"its own": {policy, time.Minute, time.Minute, time.Hour - time.Nanosecond},
	} {
		ctx, cancel := (&Runtime{Timeout: c.own}).bound(c.of)
		end, is := ctx.Deadline()
		if left := end.Sub(begin); !is || left < c.least || left > c.most {
			t.Errorf("%s: ends after %s (%v); want %s to %s", name, left, is, c.least, c.most)
		}
		cancel()
	}
}

func TestCommandLeaksNothingIn(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("LISTEN_FDS", "3")
	t.Setenv("KEPT", "yes")
	cmd := (&Runtime{}).command("start", Call{})
	env := strings.Join(cmd.Env, "\n")
	if strings.Contains(env, "NOTIFY_SOCKET") || strings.Contains(env, "LISTEN_") || !strings.Contains(env, "KEPT=yes") || !strings.HasSuffix(env, "GOMAXPROCS=1") {
		t.Errorf("environment: %s", env)
	}
	if cmd.Dir != "/" || cmd.Stdin != nil || len(cmd.ExtraFiles) > 0 {
		t.Errorf("directory %q, input %v, files %v", cmd.Dir, cmd.Stdin, cmd.ExtraFiles)
	}
}

func TestLastError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	text := `{"level":"warning","msg":"x","time":"now"}
not json
{"level":"error","msg":"first","time":"now"}
{"level":"error","msg":"runc run failed: unable to start container process: error during container init: exec: \"/bin/x\": no such file or directory","time":"now"}
{"level":"debug","msg":"later","time":"now"}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := lastError(reap.Status{Code: 1}, file), `exec: "/bin/x": no such file or directory`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&Error{Runtime: "runc", Verb: "run", Status: reap.Status{Code: 3}}).Error(); got != "runc run: exit status 3" {
		t.Errorf("without a message: %q", got)
	}
}

func TestReadPid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	for text, want := range map[string]int{"77": 77, "78\n": 78, "": 0, "0": 0, "1": 0, "-5": 0, "7x": 0, "99999999999999999999": 0} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if pid, err := ReadPid(file); pid != want && err == nil || want != 0 && err != nil {
			t.Errorf("%q: %d, %v", text, pid, err)
		}
	}
}

func TestRemoveState(t *testing.T) {
	r := &Runtime{Root: t.TempDir()}
	dir := r.StateDir("a")
	if err := os.MkdirAll(dir+"/notify/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(dir+"/notify/f", nil, 0o600), syscall.Mkfifo(dir+"/exec.fifo", 0o600), os.Symlink(filepath.Dir(outside), dir+"/link")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.RemoveState("a", func(string) error { return errors.New("nothing is mounted") }); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Lstat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestRepeats(t *testing.T) {
	refused := fmt.Errorf("services web: start: %w", &Error{Verb: "run", Message: "exec: no such file"})
	for _, c := range []struct {
		err  error
		line string
		want bool
	}{
		{refused, "runc run failed: unable to start container process: exec: no such file", true},
		{refused, "exec: no such file\r", true}, // crun has no words in front
		{refused, "hook: no such file", false},
		{refused, "", false},
		{&Error{Verb: "run"}, "what a program has said", false},
		{errors.New("exec: no such file"), "exec: no such file", false},
		{nil, "exec: no such file", false},
	} {
		if got := Repeats(c.err, c.line); got != c.want {
			t.Errorf("%v, %q: %v", c.err, c.line, got)
		}
	}
}
