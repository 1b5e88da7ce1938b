package control

import (
	"net"
	"slices"
	"sync"
)

// maxClients bounds the connections that are served at a time.
const maxClients = 64

// phase is how far a client has come.
type phase int

const (
	asking  phase = iota // its request is not all there yet
	acting               // its request is carried out
	writing              // the answer is on its way
)

// connection is one that is served.
type connection struct {
	conn  *net.UnixConn
	pid   int32
	phase phase
}

// limiter bounds the connections. When there are too many, the process that has
// more than any other loses its oldest: a client that connects again and again
// and says nothing takes connections from itself alone.
type limiter struct {
	mu  sync.Mutex
	all []*connection // the oldest first
}

// admit takes a connection, and returns the one to close for it. It is false when
// the requests of all are being carried out, which takes no time.
func (l *limiter) admit(c *connection) (out *connection, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= maxClients {
		if out = l.victim(); out == nil {
			return nil, false
		}
		l.remove(out)
	}
	l.all = append(l.all, c)
	return out, true
}

// victim is the oldest connection, its request not being carried out, of the
// process that has most.
func (l *limiter) victim() *connection {
	count := map[int32]int{}
	for _, c := range l.all {
		count[c.pid]++
	}
	var found *connection
	for _, c := range l.all {
		if c.phase != acting && (found == nil || count[c.pid] > count[found.pid]) {
			found = c
		}
	}
	return found
}

// advance notes the phase of a connection. It is false if that was closed, whose phase stays what it was then.
func (l *limiter) advance(c *connection, p phase) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.all, c) {
		return false
	}
	c.phase = p
	return true
}

func (l *limiter) release(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(c)
}

func (l *limiter) remove(c *connection) {
	l.all = slices.DeleteFunc(l.all, func(other *connection) bool { return other == c })
}
