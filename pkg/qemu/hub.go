package qemu

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	backlogSize = 64 << 10 // of the console, for who comes later
	clientQueue = 64       // writes that a client may lag behind
)

// hub shares one console among all who look at it. Whoever joins sees the last
// of what went before; whoever does not read fast enough is let go, so that the
// guest never waits for a forgotten terminal.
type hub struct {
	mu      sync.Mutex
	backlog tail
	clients map[net.Conn]chan []byte
}

func newHub() *hub {
	return &hub{backlog: tail{max: backlogSize}, clients: map[net.Conn]chan []byte{}}
}

// Write passes console output on. It never blocks.
func (h *hub) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.backlog.Write(p)
	data := slices.Clone(p)
	for conn, queue := range h.clients {
		select {
		case queue <- data:
		default:
			h.drop(conn)
			// Its last write is stuck: let it fail.
			if derr := conn.SetWriteDeadline(time.Now()); derr != nil {
				err = derr
			}
		}
	}
	return n, err
}

// serve joins everybody who connects until the listener closes.
func (h *hub) serve(l net.Listener, keys io.Writer) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve the console: %w", err)
		}
		h.join(conn, keys)
	}
}

// join sends the console to conn, and what conn sends to the guest's keyboard.
// The sending half owns conn: it ends when its queue is closed.
func (h *hub) join(conn net.Conn, keys io.Writer) {
	queue := make(chan []byte, clientQueue)
	h.mu.Lock()
	queue <- []byte(h.backlog.String())
	h.clients[conn] = queue
	h.mu.Unlock()
	go func() {
		defer conn.Close()
		for data := range queue {
			if _, err := conn.Write(data); err != nil {
				h.leave(conn)
				return
			}
		}
	}()
	go func() {
		// Either side may go first; both mean that this client is done.
		defer h.leave(conn)
		if _, err := io.Copy(keys, conn); err != nil {
			return
		}
	}()
}

// leave may be called more than once.
func (h *hub) leave(conn net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(conn)
}

func (h *hub) drop(conn net.Conn) {
	if queue, there := h.clients[conn]; there {
		delete(h.clients, conn)
		close(queue)
	}
}

// close lets everybody go once they have got all there is.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for conn := range h.clients {
		h.drop(conn)
	}
}
