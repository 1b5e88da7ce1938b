package store

import (
	"errors"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
	"slipway/pkg/log/spool"
)

// log is what a process has of one container's log.
type log struct {
	spool *spool.Spool
	carry *carrying // nil: there are no files
	users int
}

// enter gives the log of a container, which an earlier run may have left here
// because its disk takes nothing.
func (p *Pump) enter(plan plan, o Options) (*log, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.logs[plan.at.Name]
	if l == nil {
		spool, err := spool.Open(plan.at, plan.carried, o.Now)
		if err != nil {
			return nil, err
		}
		l = &log{spool: spool}
	}
	if plan.carried && l.carry == nil {
		if err := p.addCarrier(l, plan, o); err != nil {
			return nil, err
		}
	}
	l.users++
	p.logs[plan.at.Name] = l
	return l, nil
}

func (p *Pump) addCarrier(l *log, plan plan, o Options) error {
	r, err := l.spool.Reader()
	if err != nil {
		return err
	}
	lane := p.lanes[plan.at.Dir]
	if lane == nil {
		lane = newLane(plan.at.Dir, p.log)
		p.lanes[plan.at.Dir] = lane
	}
	l.carry = &carrying{lane: lane, carrier: &carrier{
		at: plan.at, max: plan.max, keep: plan.keep, now: o.Now, spool: r, id: l.spool.Number(),
		took: func(s layout.Stream, upto int64) { l.spool.Stream(s).Took(upto) },
	}}
	return nil
}

// leave gives a log back, for that many users, and closes one that nobody uses
// once its files have all of it.
func (p *Pump) leave(l *log, users int) {
	p.mu.Lock()
	l.users -= users
	over := l.users == 0 && p.logs[l.spool.At.Name] == l &&
		(l.carry == nil || l.carry.lane.retire(l.carry, func() { p.leave(l, 0) }))
	if over {
		delete(p.logs, l.spool.At.Name)
	}
	p.mu.Unlock()
	if !over {
		return
	}
	var err error
	if l.carry != nil {
		err = l.carry.close()
	}
	if err := errors.Join(err, l.spool.Close()); err != nil {
		p.log.Warn("close log", "log", l.spool.At.Name, "err", err)
	}
}

// Resume goes on with what an earlier process could not bring to the files of a
// container that does not run now.
func (p *Pump) Resume(b *bundle.Bundle, o Options) error {
	o = o.orDefault()
	plan := planFor(b, o)
	if plan.direct || !plan.carried || !rotate.Exists(plan.at.SpoolIndex()) {
		return nil
	}
	l, err := p.enter(plan, o)
	if err != nil {
		return err
	}
	l.carry.lane.add(l.carry)
	p.leave(l, 1)
	return nil
}
