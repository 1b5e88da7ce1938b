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
	"testing"
	"time"

	"slipway/pkg/service/state"
	"slipway/pkg/service/status"
)

// fake is a supervisor of one service.
type fake struct{ asked []string }

func (f *fake) List(context.Context) (status.List, error) {
	s, err := f.One(context.Background(), "web")
	return status.List{Services: []status.Service{s}}, err
}

func (f *fake) One(_ context.Context, name string) (status.Service, error) {
	if name != "web" {
		return status.Service{}, fmt.Errorf("no service %q", name)
	}
	return status.Service{Name: "web", State: state.Ready, Pid: 7, Restarts: 3, Memory: 4096, Ready: 0.25}, nil
}

func (f *fake) Ask(_ context.Context, verb, name string) error {
	f.asked = append(f.asked, verb+" "+name)
	if verb == "restart" {
		return errors.New("not now")
	}
	return nil
}

func serve(t *testing.T) (*fake, Client) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the socket answers nobody else")
	}
	path := filepath.Join(t.TempDir(), "control.sock")
	f := &fake{}
	s, err := Listen(path, f)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := s.Serve(); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v %v", info.Mode(), err)
	}
	return f, Client{Path: path}
}

func TestAsk(t *testing.T) {
	f, c := serve(t)
	var l status.List
	if err := c.Services(&l); err != nil || len(l.Services) != 1 || l.Services[0].Pid != 7 {
		t.Errorf("%+v %v", l, err)
	}
	var s status.Service
	if err := c.Service("nope", &s); err == nil || err.Error() != `no service "nope"` {
		t.Errorf("unknown name: %v", err)
	}
	if err := c.Ask("stop", "web", &s); err != nil || s.Name != "web" {
		t.Errorf("stop: %v", err)
	}
	if err := c.Ask("restart", "web", &s); err == nil || err.Error() != "not now" {
		t.Errorf("refused: %v", err)
	}
	if got := strings.Join(f.asked, ", "); got != "stop web, restart web" {
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
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
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
		"GET /metrics HTTP/1.1\r\nUser-Agent: x\r\n\r\n": "application/openmetrics-text",
	}
	for request, want := range cases {
		if got := raw(t, c, request); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %s", request, got, want)
		}
	}
	endless := "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHead)
	if got := raw(t, c, endless); got != "" && !strings.Contains(got, "400") {
		t.Errorf("endless head: %q", got)
	}
}

// Clients that say nothing take slots for a while, and cost nobody else more
// than that.
func TestHangingClients(t *testing.T) {
	_, c := serve(t)
	for range 4 * maxClients {
		conn, err := net.Dial("unix", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	deadline := time.Now().Add(time.Minute)
	for {
		var l status.List
		err := c.Services(&l)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestMetrics(t *testing.T) {
	l := status.List{Services: []status.Service{
		{Name: `we"b`, State: state.Ready, Pid: 7, Restarts: 3, Memory: 4096, Ready: 0.25},
		{Name: "down", State: state.Failed},
	}}
	text := string(Metrics(l))
	for _, want := range []string{
		"slipway_service_state{service=\"we\\\"b\",slipway_service_state=\"ready\"} 1\n",
		"slipway_service_state{service=\"down\",slipway_service_state=\"failed\"} 1\n",
		"slipway_service_restarts_total{service=\"we\\\"b\"} 3\n",
		"slipway_service_memory_bytes{service=\"we\\\"b\"} 4096\n",
		"slipway_service_ready_seconds{service=\"we\\\"b\"} 0.25\n",
		"# TYPE slipway_service_cpu_seconds counter\n# UNIT slipway_service_cpu_seconds seconds\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, `memory_bytes{service="down"}`) || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("metrics:\n%s", text)
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
