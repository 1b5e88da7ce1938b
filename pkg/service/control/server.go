package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clientTime is how long a client may take to ask, the supervisor to find the answer, and
// the client to take it.
const clientTime = 5 * time.Second

// floodPause is made after a connection was closed for another, so that a flood of
// connections costs the machine little.
const floodPause = 200 * time.Microsecond

// Unheard is the error of a request for which nothing was done, as there was no time for it. It may
// be made again.
type Unheard struct{ Err error }

func (u Unheard) Error() string { return u.Err.Error() }

// Unwrap gives errors.Is and errors.As why.
func (u Unheard) Unwrap() error { return u.Err }

// Supervisor is what the server needs of one. Errors may be Unheard.
type Supervisor interface {
	// List and One say how things are. Else One's error is of an unknown name.
	List(context.Context) (List, error)
	One(context.Context, string) (Service, error)
	// Ask is one of start, stop and restart. The options may be empty.
	Ask(ctx context.Context, verb, name string, o Options) error
	// Exec starts a program in a container. Its files are closed afterwards.
	Exec(ctx context.Context, name string, p Program) (Session, error)
}

// Server answers on the control socket.
type Server struct {
	sup      Supervisor
	path     string
	sock     *net.UnixListener
	limiter  limiter
	sessions chan struct{}
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
		s.welcome(conn)
	}
}

// Close removes the socket.
func (s *Server) Close() error {
	return errors.Join(s.sock.Close(), os.Remove(s.path))
}

// welcome serves a client, in the place of another if need be.
func (s *Server) welcome(conn *net.UnixConn) {
	pid, err := checkPeer(conn)
	if err != nil {
		turnAway(conn, failure(403, err))
		return
	}
	c := &connection{conn: conn, pid: pid}
	out, ok := s.limiter.admit(c)
	for ; !ok; out, ok = s.limiter.admit(c) {
		time.Sleep(floodPause)
	}
	if out != nil {
		dismiss(out)
		time.Sleep(floodPause)
	}
	go s.serve(c)
}

// dismiss ends a connection in favour of another. Who is being answered is not told to ask again, as
// the request was carried out, and half an answer may be on its way.
func dismiss(c *connection) {
	if c.phase != asking {
		c.conn.Close()
		return
	}
	turnAway(c.conn, failure(503, errors.New("too many clients")))
}

// turnAway says why, if that is possible at once. No deadline sees to that, which may be
// over before anything was tried, but a system call that does not wait.
func turnAway(conn *net.UnixConn, a answer) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.Write(int(fd), a.bytes()) }) // who is gone hears nothing
}

// serve answers one client. Whatever it does, it costs no more than its time.
func (s *Server) serve(c *connection) {
	defer c.conn.Close()
	defer s.limiter.release(c)
	if err := c.conn.SetDeadline(time.Now().Add(clientTime)); err != nil {
		return
	}
	r := &receiver{conn: c.conn}
	defer r.close()
	q, err := readRequest(r)
	if !s.limiter.advance(c, acting) {
		return
	}
	a := s.respond(c, r, q, err)
	r.close()
	delivered := s.deliver(c, a)
	if a.then == nil {
		return
	}
	// What was begun for a client that has gone is ended by who takes it over.
	if !delivered {
		c.conn.Close()
	}
	s.limiter.release(c)
	a.then()
}

// deliver writes an answer, unless the client had to go for another, or is gone.
func (s *Server) deliver(c *connection, a answer) bool {
	if !s.limiter.advance(c, writing) {
		return false
	}
	// It may be the answer that time ran out.
	err := c.conn.SetDeadline(time.Now().Add(clientTime))
	if err == nil {
		_, err = c.conn.Write(a.bytes())
	}
	return err == nil
}

// respond finds the answer to a request that was read, or could not be.
func (s *Server) respond(c *connection, r *receiver, q request, err error) answer {
	if f, is := errors.AsType[*fault](err); is {
		return failure(f.status, f)
	}
	if err != nil {
		// The client may have made one all right, on a machine that had no time for it.
		return failure(408, fmt.Errorf("the request was not there within %s", clientTime))
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), clientTime, fmt.Errorf("no answer within %s", clientTime))
	defer cancel()
	q.files = r.files
	if name, is := execPath(q); is {
		return s.exec(ctx, c.conn, name, q)
	}
	return s.answer(ctx, q)
}

// checkPeer lets only root in. The socket's mode says the same; it does not
// bind somebody who was given an open socket.
func checkPeer(conn *net.UnixConn) (pid int32, err error) {
	cred, err := peer(conn)
	if err != nil {
		return 0, err
	}
	if cred.Uid != 0 {
		return 0, fmt.Errorf("user %d is not root", cred.Uid)
	}
	return cred.Pid, nil
}
