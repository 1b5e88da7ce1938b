package control

import (
	"net"
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

// visitor is one connection.
type visitor struct {
	conn  *net.UnixConn
	pid   int32
	phase phase
}

// crowd is all who are served. When there are too many, the process that has
// more connections than any other loses its oldest: a client that connects
// again and again and says nothing takes places from itself alone.
type crowd struct {
	mu  sync.Mutex
	all []*visitor // the oldest first
}

// enter takes somebody in, and says whom to send away for it. It is false when
// everybody's request is being carried out, which takes no time.
func (c *crowd) enter(v *visitor) (out *visitor, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) >= maxClients {
		if out = c.greediest(); out == nil {
			return nil, false
		}
		c.remove(out)
	}
	c.all = append(c.all, v)
	return out, true
}

// greediest is the oldest connection, not being acted for, of the process that
// has most.
func (c *crowd) greediest() *visitor {
	count := map[int32]int{}
	for _, v := range c.all {
		count[v.pid]++
	}
	var found *visitor
	for _, v := range c.all {
		if v.phase != acting && (found == nil || count[v.pid] > count[found.pid]) {
			found = v
		}
	}
	return found
}

// reach notes how far somebody has come. It is false if they were sent away.
func (c *crowd) reach(v *visitor, p phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v.phase = p
	for _, other := range c.all {
		if other == v {
			return true
		}
	}
	return false
}

func (c *crowd) leave(v *visitor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(v)
}

func (c *crowd) remove(v *visitor) {
	for i, other := range c.all {
		if other == v {
			c.all = append(c.all[:i], c.all[i+1:]...)
			return
		}
	}
}
