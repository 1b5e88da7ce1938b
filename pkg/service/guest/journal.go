package guest

import (
	"context"
	"fmt"
	"os"

	"slipway/pkg/container/mount"
	"slipway/pkg/log/journal"
	"slipway/pkg/machine"
)

// Journal is where all parts of the system write down what they say.
func (p Paths) Journal() string { return p.RunDir(machine.Journal) }

// Carrier brings the journal to the directory of the logs.
func (p Paths) Carrier() (journal.Carrier, error) {
	boot, err := journal.BootID()
	return journal.Carrier{From: p.Journal(), To: p.Log, Boot: boot}, err
}

// LogsLast tells whether what is in the directory of the logs is still there after
// the next boot. If so, the directory is made.
func (p Paths) LogsLast() (bool, error) {
	lasts, err := mount.Lasts(p.Log)
	if err != nil || !lasts {
		return false, err
	}
	if err := os.MkdirAll(p.Log, 0o755); err != nil {
		return true, fmt.Errorf("make directory of the logs: %w", err)
	}
	return true, nil
}

// CarryJournal brings it to the disk, if there is one by now.
func (g *Guest) CarryJournal() error {
	return g.toDisk(journal.Carrier.Carry)
}

// KeepJournal goes on bringing it to the disk until ctx ends.
func (g *Guest) KeepJournal(ctx context.Context) error {
	return g.toDisk(func(c journal.Carrier) error {
		c.Keep(ctx, func(err error) { g.Say("%s", err) })
		return nil
	})
}

// toDisk has the journal brought to where the logs last, if that is so.
func (g *Guest) toDisk(carry func(journal.Carrier) error) error {
	lasts, err := g.Paths.LogsLast()
	if err != nil || !lasts {
		return err
	}
	c, err := g.Paths.Carrier()
	if err != nil {
		return err
	}
	return carry(c)
}
