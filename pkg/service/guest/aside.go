package guest

import (
	"sync"
	"time"
)

// Aside does what may wait for a disk, one thing after the other, beside whoever
// asks. Its goroutine exists only while there is something to do.
type Aside struct {
	mu    sync.Mutex
	queue []func()
	idle  chan struct{} // closed when all is done; nil: nothing is to do
}

// Do has f done after all that was asked for before.
func (a *Aside) Do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, f)
	if a.idle == nil {
		a.idle = make(chan struct{})
		go a.work()
	}
}

func (a *Aside) work() {
	for {
		a.mu.Lock()
		if len(a.queue) == 0 {
			close(a.idle)
			a.idle = nil
			a.mu.Unlock()
			return
		}
		f := a.queue[0]
		a.queue = a.queue[1:]
		a.mu.Unlock()
		f()
	}
}

// Wait gives what is still to do a time, and says whether it was enough.
func (a *Aside) Wait(limit time.Duration) bool {
	a.mu.Lock()
	idle := a.idle
	a.mu.Unlock()
	if idle == nil {
		return true
	}
	select {
	case <-idle:
		return true
	case <-time.After(limit):
		return false
	}
}
