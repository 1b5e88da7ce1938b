// Package step is what the parts of a container's start have in common: package
// rootfs, network and cgroup list them, package container carries them out and
// undoes them.
package step

import (
	"context"
	"fmt"
)

// Step is one thing to do around the OCI runtime. String is the line one could
// type instead, with $PID for the container's init process.
type Step interface {
	fmt.Stringer
	// Apply does it and returns how to undo it. Pid is the container's init
	// process, or 0 as long as there is none.
	Apply(ctx context.Context, pid int) (undo func() error, err error)
	// Lasting tells that it stays when the container has ended, because later
	// containers rely on it. Only a start that fails undoes it.
	Lasting() bool
}
