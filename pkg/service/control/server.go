package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/service/status"
)

// Bounds on what clients can cost: connections at a time, and how long one may
// take to ask and to take its answer.
const (
	maxClients = 32
	clientTime = 5 * time.Second
)

// Supervisor is what the server needs of one.
type Supervisor interface {
	// List and One say how things are. One's error is of an unknown name.
	List(context.Context) (status.List, error)
	One(context.Context, string) (status.Service, error)
	// Ask is one of start, stop and restart.
	Ask(ctx context.Context, verb, name string) error
}

// Server answers on the control socket.
type Server struct {
	sup   Supervisor
	sock  *net.UnixListener
	slots chan struct{}
}

// Listen makes the socket, in place of one that a predecessor left.
func Listen(path string, s Supervisor) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	old := unix.Umask(0o177) // there must be no moment at which others can connect
	sock, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	return &Server{sup: s, sock: sock, slots: make(chan struct{}, maxClients)}, nil
}

// Serve answers until Close.
func (s *Server) Serve() error {
	for {
		conn, err := s.sock.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			// Out of descriptors, most likely: others may give some back.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		select {
		case s.slots <- struct{}{}:
			go s.serve(conn)
		default:
			s.refuse(conn)
		}
	}
}

// Close removes the socket.
func (s *Server) Close() error { return s.sock.Close() }

func (s *Server) refuse(conn *net.UnixConn) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return
	}
	if err := failure(503, errors.New("too many clients")).write(conn); err != nil {
		return
	}
}

// serve answers one client. Whatever it does, it costs no more than its time.
func (s *Server) serve(conn *net.UnixConn) {
	defer func() { <-s.slots }()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(clientTime)); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	var a answer
	if err := checkPeer(conn); err != nil {
		a = failure(403, err)
	} else if r, err := readRequest(conn); err != nil {
		a = failure(400, errHead)
	} else {
		a = s.answer(ctx, r)
	}
	if err := a.write(conn); err != nil {
		return // the client has gone
	}
}

// checkPeer lets only root in. The socket's mode says the same; it does not
// bind somebody who was given an open socket.
func checkPeer(conn *net.UnixConn) error {
	cred, err := peer(conn)
	if err != nil {
		return err
	}
	if cred.Uid != 0 {
		return fmt.Errorf("user %d is not root", cred.Uid)
	}
	return nil
}
