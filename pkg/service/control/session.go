package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// Bounds of programs that run in containers for clients: how many at a time,
// and how long one has to end when its client has gone.
const (
	maxSessions = 32
	partingTime = 5 * time.Second
)

// protocol is what an exec request becomes once the program runs: lines of JSON,
// of which each side sends its own.
const protocol = "slipway-exec"

// Program is what to run in a container: the body of an exec request.
type Program struct {
	Args     []string `json:"args"`
	Env      []string `json:"env,omitempty"` // more than the container's, as KEY=VALUE
	Terminal bool     `json:"terminal,omitempty"`
	// Files are its standard input, output and error. They come with the
	// request as open files (SCM_RIGHTS).
	Files []*os.File `json:"-"`
}

// Session is a program that runs in a container.
type Session interface {
	// Ident is the process that stands for it outside.
	Ident() reap.Ident
	Signal(unix.Signal) error
	Kill() error
	Wait(context.Context) (reap.Status, error)
	// Reason says, after Wait, why the program did not run; "" where its standard error
	// does.
	Reason() string
}

// serverLine is a line from the server.
type serverLine struct {
	Pid    int    `json:"pid,omitempty"`
	Start  uint64 `json:"start,omitempty"`
	Ended  bool   `json:"ended,omitempty"`
	Code   int    `json:"exit_status,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// clientLine is a line from the client.
type clientLine struct {
	Signal int `json:"signal"`
}

// execPath takes the service's name out of an exec request's path.
func execPath(q request) (name string, is bool) {
	rest, found := strings.CutPrefix(q.path, servicesPath+"/")
	name, verb, _ := splitName(rest)
	return name, found && verb == "exec" && q.method == "POST"
}

// exec starts a program; the connection then belongs to it.
func (s *Server) exec(ctx context.Context, conn *net.UnixConn, name string, q request) answer {
	if _, err := s.sup.One(ctx, name); err != nil {
		return failure(404, err)
	}
	p := Program{Files: q.files}
	if err := json.Unmarshal(q.body, &p); err != nil {
		return failure(400, fmt.Errorf("read program: %w", err))
	}
	if len(p.Args) == 0 || p.Args[0] == "" || len(p.Files) != maxFiles {
		return failure(400, fmt.Errorf("exec wants a program in \"args\", and %d open files as its streams", maxFiles))
	}
	select {
	case s.sessions <- struct{}{}:
	default:
		return failure(503, fmt.Errorf("%d programs run for others already", maxSessions))
	}
	run, err := s.sup.Exec(ctx, name, p)
	if err != nil {
		<-s.sessions
		return failure(409, err)
	}
	return answer{status: 101, kind: protocol, then: func() {
		defer func() { <-s.sessions }()
		serveSession(conn, run)
	}}
}

// serveSession passes signals on to a program and its end back. When the client
// goes first the program is hung up on, and killed if it stays.
func serveSession(conn *net.UnixConn, run Session) {
	id := run.Ident()
	if err := errors.Join(conn.SetDeadline(time.Time{}), send(conn, serverLine{Pid: id.Pid, Start: id.Start})); err != nil {
		part(run)
		return
	}
	ended := make(chan struct{})
	go func() {
		passSignals(conn, run)
		select {
		case <-ended:
		default:
			part(run)
		}
	}()
	status, err := run.Wait(context.Background())
	close(ended)
	if err != nil {
		return
	}
	if err := errors.Join(conn.SetDeadline(time.Now().Add(clientTime)),
		send(conn, serverLine{Ended: true, Code: status.Code, Signal: int(status.Signal), Reason: run.Reason()})); err != nil {
		return // the client has gone
	}
}

func send(conn *net.UnixConn, t serverLine) error { return json.NewEncoder(conn).Encode(t) }

// passSignals returns when the client is gone, or talks nonsense.
func passSignals(conn *net.UnixConn, run Session) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 128), 128)
	for lines.Scan() {
		var w clientLine
		if json.Unmarshal(lines.Bytes(), &w) != nil || w.Signal <= 0 || w.Signal > 64 {
			return
		}
		if err := run.Signal(unix.Signal(w.Signal)); err != nil {
			return
		}
	}
}

// part ends a program whose client has gone.
func part(run Session) {
	ctx, cancel := context.WithTimeout(context.Background(), partingTime)
	defer cancel()
	if err := run.Signal(unix.SIGHUP); err == nil {
		if _, err := run.Wait(ctx); err == nil {
			return
		}
	}
	_ = run.Kill() // it may have ended
}
