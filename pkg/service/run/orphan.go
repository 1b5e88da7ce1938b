package run

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// orphanTime is how long a runtime whose supervisor died may take to finish.
const orphanTime = 30 * time.Second

// awaitRuntime waits until no OCI runtime is at work for a container any more:
// one that a killed supervisor had started goes on, and what it will leave is
// not known before it ends. One that takes too long is killed.
func awaitRuntime(id string) error {
	deadline := time.Now().Add(orphanTime)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		found, err := runtimesFor(id)
		if err != nil || len(found) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			for _, p := range found {
				if err := p.Signal(unix.SIGKILL); err != nil {
					return fmt.Errorf("end the runtime of %s: %w", id, err)
				}
			}
		}
		time.Sleep(pause)
	}
}

// runtimesFor finds processes whose last argument is the container's id and
// that were called as our driver calls a runtime.
func runtimesFor(id string) ([]reap.Ident, error) {
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []reap.Ident
	for _, name := range entries {
		data, err := os.ReadFile(name)
		if err != nil || !callsRuntime(data, id) {
			continue // processes come and go
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		if p, err := reap.Identify(pid); err == nil && p.Alive() {
			found = append(found, p)
		}
	}
	return found, nil
}

func callsRuntime(cmdline []byte, id string) bool {
	args := bytes.Split(bytes.TrimRight(cmdline, "\x00"), []byte{0})
	if len(args) < 4 || string(args[len(args)-1]) != id {
		return false
	}
	is := func(verb string) bool {
		return slices.ContainsFunc(args[1:], func(a []byte) bool { return string(a) == verb })
	}
	return is("--root") && is("--log") && !is("exec") && (is("run") || is("create") || is("start"))
}
