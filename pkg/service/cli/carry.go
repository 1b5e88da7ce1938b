package cli

import (
	"context"
	"errors"
	"fmt"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
	"slipway/pkg/service/sequence"
)

// lastWord is the argument of `service carry` for the last time.
const lastWord = "last"

// carry has a process of its own bring the logs of a section to a disk. If the
// disk hangs, that process cannot even be killed; this one is to end all the same.
func (c *call) carry(reaper *reap.Reaper, s bundle.Section, last bool) error {
	cmd := selfCommand("carry", c.pathFlags())
	cmd.Args = append(cmd.Args, string(s))
	if last {
		cmd.Args = append(cmd.Args, lastWord)
	}
	p, err := reaper.Start(cmd)
	if err != nil {
		return fmt.Errorf("carry logs: %w", err)
	}
	status, err := p.Wait(context.Background())
	if err == nil && !status.Success() {
		err = errSilent // it has said why
	}
	return err
}

// runCarry is that process.
func runCarry(c *call) error {
	if n := len(c.args); n == 0 || n > 2 || n == 2 && c.args[1] != lastWord {
		return usageError{"carry wants a section"}
	}
	g, err := openGuest(c)
	if err != nil {
		return err
	}
	err = sequence.Carry(g, bundle.Section(c.args[0]), len(c.args) > 1)
	if err != nil {
		g.Say("%s: %s", c.args[0], err)
		err = errSilent
	}
	return errors.Join(err, g.Close())
}
