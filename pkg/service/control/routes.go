package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The paths: /v1/services, /v1/services/NAME, /v1/services/NAME/VERB with POST,
// and /metrics.
const servicesPath = "/v1/services"

var verbs = map[string]bool{"start": true, "stop": true, "restart": true}

// Options are the body of a request to start or restart, which may be empty.
type Options struct {
	// Path is the directory that has the service's, if that is not the one all
	// services lie in: a service may be added to a machine that runs.
	Path string `json:"path,omitempty"`
}

func (s *Server) answer(ctx context.Context, r request) answer {
	rest, found := strings.CutPrefix(r.path, servicesPath)
	switch {
	case r.path == MetricsPath:
		return s.get(r, func() answer { return s.metrics(ctx) })
	case found && (rest == "" || rest == "/"):
		return s.get(r, func() answer { return s.list(ctx) })
	case !found || rest[0] != '/':
		return failure(404, fmt.Errorf("no such path %s; there are %s and /metrics", r.path, servicesPath))
	}
	name, verb, asks := splitName(rest[1:])
	switch {
	case !asks:
		return s.get(r, func() answer { return s.one(ctx, name) })
	case !verbs[verb] && verb != "exec":
		return failure(404, fmt.Errorf("no such request %q; there are start, stop, restart and exec", verb))
	case r.method != "POST":
		return failure(405, fmt.Errorf("%s wants POST", r.path))
	}
	return s.ask(ctx, verb, name, r.body)
}

// splitName takes a service's name, as URLs write it, off a path.
func splitName(path string) (name, verb string, asks bool) {
	name, verb, asks = strings.Cut(path, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return name, verb, asks
}

func (s *Server) get(r request, then func() answer) answer {
	if r.method != "GET" {
		return failure(405, fmt.Errorf("%s wants GET", r.path))
	}
	return then()
}

func (s *Server) list(ctx context.Context) answer {
	l, err := s.sup.List(ctx)
	if err != nil {
		return failure(503, err)
	}
	return jsonAnswer(200, l)
}

func (s *Server) one(ctx context.Context, name string) answer {
	v, err := s.sup.One(ctx, name)
	if err != nil {
		return failure(404, err)
	}
	return jsonAnswer(200, v)
}

var errUntold = errors.New("it was asked for, and there was no time to say how the service is")

// ask hands a request on. A name that nobody knows may become known by it.
func (s *Server) ask(ctx context.Context, verb, name string, body []byte) answer {
	var o Options
	if len(body) > 0 {
		if err := json.Unmarshal(body, &o); err != nil {
			return failure(400, fmt.Errorf("read request: %w", err))
		}
	}
	err := s.sup.Ask(ctx, verb, name, o)
	if errors.As(err, new(Unheard)) {
		return failure(503, err)
	}
	// What was done is not to be asked for again, because there was no time left to say so.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clientTime)
	defer cancel()
	a := s.one(ctx, name)
	switch {
	case err == nil && a.status == 503:
		return failure(409, errUntold)
	case err == nil:
		return a
	case a.status == 404 && o.Path == "":
		return failure(404, err)
	}
	return failure(409, err)
}
