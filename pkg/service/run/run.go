// Package run is how the rest of the service program sees containers: an
// engine that starts them, finds them again and cleans up after them. Package
// container does it for real; tests have an engine of their own.
package run

import (
	"context"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/memory"
	"slipway/pkg/reap"
)

// IO is what a container gets.
type IO = container.IO

// Engine runs containers.
type Engine interface {
	// Start prepares, creates, wires and starts. On an error nothing is left.
	Start(ctx context.Context, b *bundle.Bundle, io IO) (Container, error)
	// Attach takes over a container that an earlier supervisor started.
	Attach(b *bundle.Bundle, id reap.Ident) (Container, error)
	// Clean removes what a dead predecessor left, the container included. It
	// can be called at any time, and again.
	Clean(b *bundle.Bundle) error
	// Find says what is there of a container whose start may have been cut
	// short: which process is its first one, and whether its program was
	// started. The Ident is zero when there is none. It waits for a start that is
	// still under way; when ctx ends, that is ended.
	Find(ctx context.Context, b *bundle.Bundle) (id reap.Ident, started bool, err error)
	// Exec runs a program in a running container and waits for its end.
	Exec(ctx context.Context, b *bundle.Bundle, argv []string) (reap.Status, error)
	// Begin starts a program in a running container, with streams.
	Begin(b *bundle.Bundle, p Program) (Session, error)
}

// Container is one that runs or ran.
type Container interface {
	// Ident is its first process.
	Ident() reap.Ident
	// Wait is for a process that is an ancestor and subreaper itself.
	Wait(ctx context.Context) (reap.Status, error)
	Signal(sig unix.Signal) error
	// Kill ends every process of it.
	Kill() error
	// Cleanup undoes what Start did.
	Cleanup() error
}

// OOMKilled tells whether the kernel killed anything in a container for want of
// memory. It has to be asked before the container is cleaned up.
func OOMKilled(c Container) bool {
	g, ok := c.(interface{ Group() cgroup.Group })
	if !ok {
		return false
	}
	n, err := g.Group().OOMKills()
	return err == nil && n > 0
}

// OOMCause words such an end: how the container ended, which limit was hit, and
// who had filled it.
func OOMCause(c Container, s reap.Status) string {
	cause := s.WithOOM()
	if g, ok := c.(interface{ Group() cgroup.Group }); ok {
		if why := memory.Why(g.Group()); why != "" {
			cause += ": " + why
		}
	}
	return cause
}
