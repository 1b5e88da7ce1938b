package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// elsewhere is a runtime that works in a process which is no child of the one that
// is called, and runs a hook there, as crun does: it hangs, or goes on when the other
// has ended.
const elsewhere = `#!/bin/sh
if [ "$1" != again ]; then
	setsid "$0" again "$@" &
	until [ -e "$0.works" ]; do sleep 0.01; done
	END
fi
sh -c 'touch "$1"; read x <>"$2"' hook "$0.works" "$0.fifo"
touch "$0.done"
`

func TestRuntimeThatWorksElsewhere(t *testing.T) {
	for name, end := range map[string]string{"hangs": `read x <"$0.fifo"`, "is killed": "kill -9 $$"} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "crun")
			if err := os.WriteFile(program, []byte(strings.Replace(elsewhere, "END", end, 1)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(program+".fifo", 0o600); err != nil {
				t.Fatal(err)
			}
			r := &Runtime{Path: program, Root: "/r", Reaper: reaper}
			ctx, cancel := context.WithCancelCause(t.Context())
			gone := errors.New("nobody wants it")
			go func() {
				for name == "hangs" && ctx.Err() == nil {
					if _, err := os.Stat(program + ".works"); err == nil {
						cancel(gone)
					}
					time.Sleep(time.Millisecond)
				}
			}()
			err := r.Run(ctx, Call{ID: t.Name(), Log: program + ".log"})
			cancel(nil)
			if err == nil || name == "hangs" && !errors.Is(err, gone) {
				t.Errorf("error is %v", err)
			}
			if found, _, err := runtimesFor(t.Name()); len(found) > 0 || err != nil {
				t.Errorf("at work: %v, %v", found, err)
			}
			if _, err := os.Stat(program + ".done"); err == nil {
				t.Error("it has gone on")
			}
		})
	}
}
