package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"slipway/test/probe/attack"
)

// tryTime is what an attack gets. None waits for anything, and most take
// milliseconds; an emulated machine on a busy host takes seconds.
const tryTime = time.Minute

// tryAll carries out every attack in a process of its own: what it has taken
// ends with it, and one that crashes or hangs stops nobody.
func tryAll(column string) {
	for _, a := range attack.All() {
		fmt.Printf("%s\t%s\t%s\n", column, a.Name, outcome(a.Name))
	}
}

func outcome(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, attack.Program, "try", name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil && len(out) > 0:
		return string(out)
	case ctx.Err() != nil:
		return attack.Hangs
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return status.Signal().String()
		}
	}
	return attack.Crashed
}
