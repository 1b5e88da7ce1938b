package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

func TestExecArgs(t *testing.T) {
	r := &Runtime{Root: "/run/runc"}
	got := strings.Join(r.execArgs(Exec{ID: "web", Args: []string{"ls", "-l"}, Terminal: true,
		Env: []string{"TERM=vt100"}, PidFile: "/p", Log: "/l"}), " ")
	if want := "--root /run/runc --log /l --log-format json exec --pid-file /p --tty --env TERM=vt100 -- web ls -l"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestExecStatus(t *testing.T) {
	for message, want := range map[string]int{
		`exec failed: unable to start container process: exec: "x": executable file not found in $PATH`:  127,
		`exec failed: unable to start container process: exec: "/x": stat /x: no such file or directory`: 127,
		`exec failed: unable to start container process: exec: "/etc": is a directory`:                   126,
		`exec failed: unable to start container process: exec /x: permission denied`:                     126,
		"executable file `x` not found in $PATH: No such file or directory":                              127,
		"open executable: Operation not permitted":                                                       126,
		"open executable: Permission denied":                                                             126,
		`cannot exec in a stopped container`:                                                             1,
		``:                                                                                               255,
	} {
		log := filepath.Join(t.TempDir(), "log")
		text := ""
		if message != "" {
			text = `{"level":"error","msg":"` + strings.ReplaceAll(message, `"`, `\"`) + "\"}\n"
		}
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for path, reason := range map[string]string{"runc": "", "crun": message} {
			if got, said := (&Runtime{Path: path}).ExecStatus(reap.Status{Code: 255}, log); got.Code != want || said != reason {
				t.Errorf("%s: %s: %v, %q, want %d", path, message, got, said, want)
			}
		}
		for _, own := range []reap.Status{{}, {Code: 3}, {Signal: unix.SIGKILL}} {
			if got, said := (&Runtime{Path: "crun"}).ExecStatus(own, log); got != own || said != "" {
				t.Errorf("a program's own %v became %v, %q", own, got, said)
			}
		}
	}
}
