package fake

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/cgroup"
	"slipway/pkg/reap"
)

// instance is a container.Instance without a process or a group.
type instance struct {
	engine *Engine
	name   string
	deaf   bool
	undead bool
	id     reap.Ident
	once   sync.Once
	status reap.Status
	ended  chan struct{}
}

func (c *instance) end(s reap.Status) {
	c.once.Do(func() {
		c.status = s
		close(c.ended)
	})
}

func (c *instance) Ident() reap.Ident { return c.id }

func (c *instance) Runtime() string { return "fake" }

func (c *instance) Group() cgroup.Group { return cgroup.Group{} }

func (c *instance) Signal(sig unix.Signal) error {
	c.engine.note(strings.TrimPrefix(unix.SignalName(sig), "SIG"), c.name)
	if !c.deaf {
		c.end(reap.Status{Signal: sig})
	}
	return nil
}

func (c *instance) Kill() error {
	c.engine.note("kill", c.name)
	c.end(reap.Status{Signal: unix.SIGKILL})
	return nil
}

func (c *instance) Cleanup() error {
	if c.undead {
		<-c.engine.Disk
	}
	c.engine.note("clean", c.name)
	return nil
}

func (c *instance) Wait(ctx context.Context) (reap.Status, error) {
	select {
	case <-c.ended:
		return c.status, nil
	case <-ctx.Done():
		return reap.Status{}, ctx.Err()
	}
}
