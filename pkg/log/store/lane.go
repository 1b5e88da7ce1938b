package store

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"slipway/pkg/container/mount"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/yield"
)

// retryTime is how often a log is tried again that could not be written.
const retryTime = 30 * time.Second

// reportTime is how long a disk may take nothing before people are told.
const reportTime = 3 * time.Second

// lane does what may wait for a disk, for all the logs of one directory: one
// after the other, in one goroutine that exists only while there is something
// to do. A disk that takes nothing costs that goroutine and its thread, however
// many logs it has; nobody else waits for it.
type lane struct {
	dir string
	log *slog.Logger

	mu       sync.Mutex
	queue    []*carrying // each once
	at       *carrying   // what is at work; nil: nothing is
	since    time.Time   // when the step began that it is at
	alarm    *time.Timer
	hung     bool // it takes nothing
	reported bool
}

// carrying is a carrier on its lane, whose lock guards it.
type carrying struct {
	*carrier
	lane     *lane
	queued   bool
	again    bool          // more came while it was at work
	gone     bool          // it is closed
	fault    error         // of the last try
	reported bool          // it was said that its disk takes nothing
	done     chan struct{} // closed after the next try; nil: nobody asks
	clean    func()        // called when the files have all; nil: nobody asks
}

func newLane(dir string, log *slog.Logger) *lane { return &lane{dir: dir, log: log} }

// add has a log carried.
func (l *lane) add(c *carrying) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.queued, c.gone:
	case l.at == c:
		c.again = true
	default:
		c.queued = true
		l.queue = append(l.queue, c)
		if l.at == nil {
			next := l.next()
			go yield.Do(yield.Output, func() { l.work(next) })
		}
	}
	l.tell(c)
}

// next takes the first of the queue. l.mu is held.
func (l *lane) next() *carrying {
	c := l.queue[0]
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	c.queued, l.at = false, c
	return c
}

// work carries what is queued.
func (l *lane) work(c *carrying) {
	for c != nil {
		l.step()
		err := c.carry(l.step)
		c = l.over(c, err)
	}
}

// step notes that the disk has done something.
func (l *lane) step() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Now()
	if l.hung {
		l.hung = false
		if l.reported {
			l.reported = false
			l.log.Warn("disk takes logs again", "disk", l.disk())
		}
	}
	if l.alarm == nil {
		l.alarm = time.AfterFunc(maxWait, l.ring)
	} else {
		l.alarm.Reset(maxWait)
	}
}

// ring finds that one step takes long.
func (l *lane) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		return
	}
	switch waited := time.Since(l.since); {
	case waited < maxWait:
		l.alarm.Reset(maxWait - waited)
		return
	case waited < reportTime:
		l.hung = true
		l.alarm.Reset(reportTime - waited)
		return
	}
	l.hung = true
	l.reported = true
	l.tell(l.at)
	for _, c := range l.queue {
		l.tell(c)
	}
}

// tell says, once for each log, that a disk takes nothing.
func (l *lane) tell(c *carrying) {
	if l.reported && !c.reported {
		c.reported = true
		l.log.Warn("disk takes nothing; output is kept in memory, and counted where that is full",
			"container", c.at.Name, "file", c.at.File(layout.Stdout), "disk", l.disk())
	}
}

// disk is what the directory lies on. Asking the kernel for its table of mounts
// waits for no disk.
func (l *lane) disk() string {
	table, err := mount.Table()
	if err != nil {
		return l.dir
	}
	on := mount.On(table, l.dir)
	return fmt.Sprintf("%s (%s on %s)", on.Source, on.Type, on.Target)
}

// over enters how one went and gives the next; nil if there is none.
func (l *lane) over(c *carrying, err error) *carrying {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(c, err)
	l.at = nil
	switch {
	case c.again:
		c.again, c.queued = false, true
		l.queue = append(l.queue, c)
	default:
		if c.done != nil {
			close(c.done)
			c.done = nil
		}
		if err != nil {
			time.AfterFunc(retryTime, func() { l.add(c) })
		} else if c.clean != nil {
			go c.clean()
		}
	}
	if len(l.queue) > 0 {
		return l.next()
	}
	l.alarm.Stop()
	return nil
}

// enter keeps how it went; people hear of the first failure of a kind.
func (l *lane) enter(c *carrying, err error) {
	if err != nil && (c.fault == nil || c.fault.Error() != err.Error()) {
		l.log.Warn("log is kept in memory only", "container", c.at.Name, "err", err)
	}
	c.fault = err
	if err == nil {
		c.reported = false
	}
}

// settled is closed when what is there by now is with the files, or has been
// tried in vain.
func (l *lane) settled(c *carrying) <-chan struct{} {
	l.mu.Lock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	done := c.done
	l.mu.Unlock()
	l.add(c)
	return done
}

// retire ends the carrying of a log if its files have all and nobody is at it.
// If not, clean is called when that is so.
func (l *lane) retire(c *carrying, clean func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.clean = clean
	c.gone = c.fault == nil && !c.queued && l.at != c
	return c.gone
}

// hangs: the disk has taken nothing for a while.
func (l *lane) hangs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hung
}

// takes tells whether it is worth waiting for the disk.
func (l *lane) takes(c *carrying) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.hung && c.fault == nil
}
