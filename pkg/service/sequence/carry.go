package sequence

import (
	"errors"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/log/store"
	"slipway/pkg/service/guest"
)

// Carry brings the logs of a section and the journal to /var/log once that is one
// that stays. If it is not, the last call links the logs there: it comes late
// because an onboot container may mount over /var.
func Carry(g *guest.Guest, s bundle.Section, last bool) error {
	lasts, err := g.Paths.LogsLast()
	switch {
	case err != nil:
		return err
	case lasts:
		return errors.Join(store.Carry(s, g.Paths.Logs()), g.CarryJournal())
	case last:
		return store.Link(s, g.Paths.Logs())
	}
	return nil
}

// carry does so beside the steps, which wait for no disk. A step may have mounted
// it, and the next may end the boot.
func (q *Sequence) carry(last bool) {
	if q.hung {
		return
	}
	carry := func(last bool) error { return Carry(q.Guest, q.Section, last) }
	if table, err := mount.Table(); q.Carry != nil && (err != nil || !mount.On(table, q.Guest.Paths.Log).InMemory()) {
		carry = q.Carry
	} else if !last {
		return // There is nothing to do before the last one.
	}
	q.disk.Do(func() {
		if err := carry(last); err != nil {
			q.Guest.Say("%s: %s", q.Section, err)
		}
	})
}

// diskTime is how long the end of a section waits for the disk.
const diskTime = 5 * time.Second

// awaitDisk waits until all is there.
func (q *Sequence) awaitDisk() {
	if !q.hung && !q.disk.Wait(diskTime) {
		q.hung = true
		q.Guest.Say("%s: the disk of %s takes no logs; they stay in memory", q.Section, q.Guest.Paths.Log)
	}
}
