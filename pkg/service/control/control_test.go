package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway/pkg/service/state"
	"slipway/test/poll"
	"slipway/test/skip"
)

// fake is a supervisor of one service.
type fake struct {
	asked   []string
	started atomic.Int64 // pid of the last program
}

func (f *fake) List(context.Context) (List, error) {
	s, err := f.One(context.Background(), "web")
	return List{Services: []Service{s}}, err
}

func (f *fake) One(_ context.Context, name string) (Service, error) {
	if name == "later" {
		return Service{}, Unheard{errors.New("no time")}
	}
	if name != "web" {
		return Service{}, fmt.Errorf("no service %q", name)
	}
	return Service{Name: "web", State: state.Ready, Pid: 7, Restarts: 3, Memory: 4096, Ready: 0.25}, nil
}

func (f *fake) Ask(_ context.Context, verb, name string, o Options) error {
	f.asked = append(f.asked, strings.TrimSpace(verb+" "+name+" "+o.Path))
	if verb == "restart" {
		return errors.New("not now")
	}
	return nil
}

// serveUntilEnd serves until the test ends, and does not outlive it.
func serveUntilEnd(t *testing.T, s *Server) {
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
}

func serve(t *testing.T) (*fake, Client) {
	t.Helper()
	skip.UnlessRoot(t, "the socket answers nobody else")
	path := filepath.Join(t.TempDir(), "control.sock")
	f := &fake{}
	s, err := Listen(path, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, s)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v %v", info.Mode(), err)
	}
	return f, Client{Path: path}
}

func TestAsk(t *testing.T) {
	f, c := serve(t)
	var l List
	if err := c.Services(&l); err != nil || len(l.Services) != 1 || l.Services[0].Pid != 7 {
		t.Errorf("%+v %v", l, err)
	}
	var s Service
	if err := c.Service("nope", &s); err == nil || err.Error() != `no service "nope"` {
		t.Errorf("unknown name: %v", err)
	}
	if err := c.Ask("stop", "web", Options{}, &s); err != nil || s.Name != "web" {
		t.Errorf("stop: %v", err)
	}
	if err := c.Ask("start", "web", Options{Path: "/x"}, &s); err != nil {
		t.Errorf("start elsewhere: %v", err)
	}
	if err := c.Service("we/b ü", &s); err == nil || err.Error() != `no service "we/b ü"` {
		t.Errorf("a name that is no word: %v", err)
	}
	if err := c.Ask("restart", "web", Options{}, &s); err == nil || err.Error() != "not now" {
		t.Errorf("refused: %v", err)
	}
	if got := strings.Join(f.asked, ", "); got != "stop web, start web /x, restart web" {
		t.Errorf("asked: %s", got)
	}
	if err := (Client{Path: c.Path + ".not"}).Services(&l); !errors.Is(err, ErrNoSupervisor) {
		t.Errorf("no socket: %v", err)
	}
}

func raw(t *testing.T, c Client, text string) string {
	t.Helper()
	conn, err := net.Dial("unix", c.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(poll.Longest)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "" // the server has closed already
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		return ""
	}
	return string(answer)
}

func TestRequestsThatAreNone(t *testing.T) {
	_, c := serve(t)
	cases := map[string]string{
		"GET /v1/services HTTP/1.1\r\n\r\n":              "200 OK",
		"GET /v1/services?x=y HTTP/1.0\nHost: a\n\n":     "200 OK",
		"GET /v1/services/web/stop HTTP/1.1\r\n\r\n":     "405 ",
		"POST /v1/services HTTP/1.1\r\n\r\n":             "405 ",
		"POST /v1/services/web/kill HTTP/1.1\r\n\r\n":    "404 ",
		"GET /v1/servicesweb HTTP/1.1\r\n\r\n":           "404 ",
		"GET / HTTP/1.1\r\n\r\n":                         "404 ",
		"GET v1 HTTP/1.1\r\n\r\n":                        "400 ",
		"PRI * HTTP/2.0\r\n\r\n":                         "400 ",
		"\r\n":                                           "400 ",
		"GET /metrics HTTP/1.1\r\nUser-Agent: x\r\n\r\n": "200 OK\r\nContent-Type: application/openmetrics-text; ",
	}
	for request, want := range cases {
		if got := raw(t, c, request); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%q: %q, want %s", request, got, want)
		}
	}
	for request, want := range map[string]string{
		"POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}":         "200 OK",
		"POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: 4\r\n\r\nnope":       "400 ",
		"POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: x\r\n\r\n":           "400 ",
		"POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n":    "413 ",
		"POST /v1/services/web/stop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0": "411 ",
		"POST /v1/services/web/exec HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}":         "400 ",
		"GET /v1/services/later HTTP/1.1\r\n\r\n":                                    "503 ",
		"POST /v1/services/later/exec HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}":       "503 ",
		"POST /v1/services/no/exec HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}":          "404 ",
		"GET /v1/services/web/exec HTTP/1.1\r\n\r\n":                                 "405 ",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n":                           "400 ",
	} {
		if got := raw(t, c, request); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%q: %q, want %s", request, got, want)
		}
	}
	endless := "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHead)
	if got := raw(t, c, endless); got != "" && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("endless head: %q", got)
	}
}

// late gives what it has, and then nothing until the connection's time is over.
type late struct{ io.Reader }

func (l late) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func TestRequestThatComesLate(t *testing.T) {
	s := &Server{sup: &fake{}}
	for _, text := range []string{"", "GET /v1/serv", "GET /v1/services HTTP/1.1\r\nHost: ", "POST /v1/services/web/stop HTTP/1.1\r\nContent-Length: 2\r\n\r\n{"} {
		q, err := readRequest(late{strings.NewReader(text)})
		if a := s.respond(nil, &receiver{}, q, err); a.status != 408 {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
	}
}

// What was done is not asked for again, though nobody can say what came of it.
func TestDoneAndUntold(t *testing.T) {
	f := &fake{}
	s := &Server{sup: f}
	a := s.answer(t.Context(), request{method: "POST", path: "/v1/services/later/stop"})
	if a.status != 409 || len(f.asked) != 1 {
		t.Errorf("%d %s, asked: %s", a.status, a.body, f.asked)
	}
}

// For who was sent away nothing was done: the client asks again.
func TestClientAsksAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	ask := map[string]func(Client) error{
		"GET":  func(c Client) error { return c.Services(&List{}) },
		"POST": func(c Client) error { return c.Ask("stop", "web", Options{}, &Service{}) },
		"exec": func(c Client) error { _, err := c.Exec("web", Program{}); return err },
	}
	answers := []answer{failure(503, errors.New("no room")), failure(408, errors.New("late")), failure(409, errors.New("the end"))}
	served := make(chan error, 1)
	go func() {
		var err error
		for n := 0; err == nil; n++ {
			var conn *net.UnixConn
			if conn, err = l.AcceptUnix(); err == nil {
				turnAway(conn, answers[n%len(answers)])
			}
		}
		served <- err
	}()
	for name, do := range ask {
		if err := do(Client{Path: path}); err == nil || err.Error() != "the end" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(l.Close(), <-served); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add("GET /v1/services HTTP/1.1\r\nHost: x\r\n\r\n")
	f.Add("\n\n")
	s := &Server{sup: &fake{}}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readRequest(strings.NewReader(text))
		if err != nil {
			return
		}
		if a := s.answer(t.Context(), r); reasons[a.status] == "" {
			t.Errorf("%q: status %d", text, a.status)
		}
	})
}
