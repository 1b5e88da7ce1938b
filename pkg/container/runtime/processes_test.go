package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/reap"
	"slipway/test/poll"
)

// A hook that hangs is named, and gone with all that it has started: what left
// the process group, or the session, of the runtime too.
func TestHookThatHangs(t *testing.T) {
	dir := t.TempDir()
	hook, pids := filepath.Join(dir, "hook"), filepath.Join(dir, "pids")
	files := map[string]string{
		"runtime": fmt.Sprintf("#!/bin/sh\necho $$ >>%[2]s\n/bin/true\n%[1]s begins\n", hook, pids),
		"hook":    fmt.Sprintf("#!/bin/sh\necho $$ >>%[1]s\nsetsid sh -c 'echo $$ >>%[1]s; echo up >>%[1]s; sleep 7654322' &\nwait\n", pids),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := reap.SetSubreaper(); err != nil {
		t.Fatal(err)
	}
	said := func() []string {
		data, err := os.ReadFile(pids)
		if err != nil {
			return nil
		}
		return strings.Fields(string(data))
	}
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		poll.Until(t, "all run", func() bool { return len(said()) >= 4 })
		stop(errors.New("it was enough"))
	}()
	r := &Runtime{Path: filepath.Join(dir, "runtime"), Reaper: reaper}
	err := r.Create(ctx, Call{ID: "a", Log: dir + "/log", Hooks: []Hook{{"prestart", "/bin/true"}, {"createRuntime", hook}}})
	if want := "runtime create: createRuntime hook " + hook + ": it was enough, killed"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, pid := range said() {
		awaitDeath(t, pid)
	}
}

// awaitDeath waits for the end of a process that was killed, which takes the kernel a
// moment.
func awaitDeath(t *testing.T, pid string) {
	t.Helper()
	poll.Until(t, "the end of "+pid, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return pid == "up" || err != nil || strings.Contains(string(stat), ") Z ")
	})
}
