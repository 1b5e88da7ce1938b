package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runc"
	"slipway/pkg/reap"
)

// Exec runs a program in a running container, its output nowhere, and waits.
// When ctx ends first the program is killed, not only the runtime around it.
func (e engine) Exec(ctx context.Context, b *bundle.Bundle, argv []string) (reap.Status, error) {
	dir, err := os.MkdirTemp(e.RunDir, "exec-")
	if err != nil {
		return reap.Status{}, fmt.Errorf("run in %s: %w", b.Name, err)
	}
	status, err := e.exec(ctx, b.Name, filepath.Join(dir, "pid"), argv)
	return status, errors.Join(err, os.RemoveAll(dir))
}

func (e engine) exec(ctx context.Context, id, pidFile string, argv []string) (reap.Status, error) {
	args := append([]string{"--root", e.Runtime.Root, "exec", "--pid-file", pidFile, id}, argv...)
	cmd := exec.Command(e.Runtime.Path, args...)
	cmd.Dir = "/"
	status, err := e.Reaper.Run(ctx, cmd)
	if err == nil {
		return status, nil
	}
	pid, pidErr := runc.ReadPid(pidFile)
	if pidErr != nil {
		return status, fmt.Errorf("run %s in %s: %w", strings.Join(argv, " "), id, err)
	}
	if killErr := unix.Kill(pid, unix.SIGKILL); killErr != nil && !errors.Is(killErr, unix.ESRCH) {
		err = errors.Join(err, killErr)
	}
	return status, fmt.Errorf("run %s in %s: %w", strings.Join(argv, " "), id, err)
}
