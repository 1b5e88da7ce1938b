package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// Remote is a program in a container, as the client that asked for it sees it.
type Remote struct {
	conn *net.UnixConn
	in   *bufio.Reader
	id   reap.Ident

	reason string
}

// ErrLost says that the supervisor went away while a program ran for us. The
// program goes on.
var ErrLost = errors.New("the supervisor went away")

// Exec starts a program in a service's container, with open files of this
// process as its streams.
func (c Client) Exec(name string, p Program) (r *Remote, err error) {
	err = persist(func() (again bool, err error) {
		r, err = c.exec(name, p)
		return unheard(err), err
	})
	return r, err
}

func (c Client) exec(name string, p Program) (*Remote, error) {
	conn, err := c.dial()
	if err != nil {
		return nil, err
	}
	r := &Remote{conn: conn, in: bufio.NewReader(conn)}
	if err := r.begin(name, p); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return r, nil
}

func (r *Remote) begin(name string, p Program) error {
	if err := r.conn.SetDeadline(time.Now().Add(2 * clientTime)); err != nil {
		return err
	}
	text, err := requestText("POST", servicePath(name, "exec"), p)
	if err != nil {
		return err
	}
	var fds []int
	for _, f := range p.Files {
		fds = append(fds, int(f.Fd()))
	}
	n, _, writeErr := r.conn.WriteMsgUnix(text, unix.UnixRights(fds...), nil)
	if writeErr == nil {
		_, writeErr = r.conn.Write(text[n:])
	}
	status, body, err := readAnswer(r.in)
	if err = errors.Join(writeErr, err); status == 0 && err != nil {
		return fmt.Errorf("ask supervisor: %w", err)
	}
	if status != 101 {
		return refusal(status, body)
	}
	var t serverLine
	if err := r.receive(&t); err != nil {
		return err
	}
	r.id = reap.Ident{Pid: t.Pid, Start: t.Start}
	return r.conn.SetDeadline(time.Time{})
}

func (r *Remote) receive(t *serverLine) error {
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		return ErrLost
	}
	if err := json.Unmarshal(line, t); err != nil {
		return fmt.Errorf("read the supervisor's answer: %w", err)
	}
	return nil
}

// Ident is the process that stands for the program on the machine.
func (r *Remote) Ident() reap.Ident { return r.id }

// Signal sends a signal to the program.
func (r *Remote) Signal(sig unix.Signal) error {
	return json.NewEncoder(r.conn).Encode(clientLine{Signal: int(sig)})
}

// Wait waits for the program's end. ErrLost: somebody else will know of it.
func (r *Remote) Wait() (reap.Status, error) {
	var t serverLine
	if err := r.receive(&t); err != nil {
		return reap.Status{}, err
	}
	r.reason = t.Reason
	return reap.Status{Code: t.Code, Signal: unix.Signal(t.Signal)}, r.conn.Close()
}

// Reason says, after Wait, why the program did not run; "" where its standard error does.
func (r *Remote) Reason() string { return r.reason }
