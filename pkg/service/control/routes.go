package control

import (
	"context"
	"fmt"
	"strings"
)

// The paths: /v1/services, /v1/services/NAME, /v1/services/NAME/VERB with POST,
// and /metrics.
const servicesPath = "/v1/services"

var verbs = map[string]bool{"start": true, "stop": true, "restart": true}

func (s *Server) answer(ctx context.Context, r request) answer {
	rest, found := strings.CutPrefix(r.path, servicesPath)
	switch {
	case r.path == "/metrics":
		return s.get(r, func() answer { return s.metrics(ctx) })
	case found && (rest == "" || rest == "/"):
		return s.get(r, func() answer { return s.list(ctx) })
	case !found || rest[0] != '/':
		return failure(404, fmt.Errorf("no such path %s; there are %s and /metrics", r.path, servicesPath))
	}
	name, verb, asks := strings.Cut(rest[1:], "/")
	switch {
	case !asks:
		return s.get(r, func() answer { return s.one(ctx, name) })
	case !verbs[verb]:
		return failure(404, fmt.Errorf("no such request %q; there are start, stop and restart", verb))
	case r.method != "POST":
		return failure(405, fmt.Errorf("%s wants POST", r.path))
	}
	return s.ask(ctx, verb, name)
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

func (s *Server) ask(ctx context.Context, verb, name string) answer {
	if _, err := s.sup.One(ctx, name); err != nil {
		return failure(404, err)
	}
	if err := s.sup.Ask(ctx, verb, name); err != nil {
		return failure(409, err)
	}
	return s.one(ctx, name)
}
