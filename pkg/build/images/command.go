package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A command is a program of the host that a step runs.
type command struct {
	dir  string   // working directory
	env  []string // beside our own environment
	args []string
}

// output runs the command and returns its standard output. The error names the
// command and ends with what it said. When ctx is done the command and what it
// started get SIGTERM, so that a compiler removes its temporary files.
func (c command) output(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("run %s: not installed (see `make setup`)", c.args[0])
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w%s", strings.Join(c.shown(), " "), err, lastLines(stderr.String(), 20))
	}
	return stdout.Bytes(), nil
}

// shown is the command line as far as it helps to recognise it.
func (c command) shown() []string {
	if len(c.args) > 4 {
		return append(c.args[:3:3], "...", c.args[len(c.args)-1])
	}
	return c.args
}

// lastLines is the end of a program's complaint, each line indented below the
// error that it belongs to.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "\n\t" + strings.Join(lines, "\n\t")
}
