package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/test/poll"
)

// dockerConfig is what "docker login" leaves, for this test alone.
func dockerConfig(t *testing.T, config map[string]any) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func login(user, password string) map[string]any {
	return map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
}

// helper puts a credential helper on the PATH that knows one server.
func helper(t *testing.T, host, user, password string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nread server\n[ \"$1 $server\" = 'get %s' ] || { echo 'credentials not found in native keychain'; exit 1; }\n"+
		"echo '{\"Username\": \"%s\", \"Secret\": \"%s\"}'\n", host, user, password)
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-slipwaytest"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// basic lets only one user in.
func basic(inner http.Handler) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
}

// token hands out a token at an address of its own, as large registries do.
func token(inner http.Handler) *httptest.Server {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case r.URL.Path == "/token" && user == "ann" && password == "secret":
			fmt.Fprint(w, `{"token": "opensesame"}`)
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") != "Bearer opensesame":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="test"`, s.URL))
			w.WriteHeader(http.StatusUnauthorized)
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	return s
}

// TestCredentials logs in as the Docker configuration says.
func TestCredentials(t *testing.T) {
	img, _ := bigImage(t)
	configs := map[string]func(*testing.T, string) map[string]any{
		"password": func(_ *testing.T, host string) map[string]any {
			return map[string]any{"auths": map[string]any{host: login("ann", "secret")}}
		},
		"helper for the host": func(t *testing.T, host string) map[string]any {
			helper(t, host, "ann", "secret")
			return map[string]any{"credHelpers": map[string]any{host: "slipwaytest"}}
		},
		"helper for all": func(t *testing.T, host string) map[string]any {
			helper(t, host, "ann", "secret")
			return map[string]any{"credsStore": "slipwaytest"}
		},
		"wrong password": func(_ *testing.T, host string) map[string]any {
			return map[string]any{"auths": map[string]any{host: login("ann", "wrong")}}
		},
		"nobody": func(*testing.T, string) map[string]any { return map[string]any{} },
	}
	for kind, start := range map[string]func(http.Handler) *httptest.Server{"basic": basic, "token": token} {
		for name, config := range configs {
			t.Run(kind+", "+name, func(t *testing.T) {
				var inner http.Handler
				s := serve(t, func(h http.Handler) *httptest.Server { inner = h; return start(h) })
				open := &server{Server: httptest.NewServer(inner)}
				open.push(t, "app:1", img)
				open.Close()
				dockerConfig(t, config(t, s.host()))
				err := use(&Finder{Store: OpenLayout(t.TempDir(), true), Remote: impatient()}, s.host()+"/app:1")
				if refused := name == "wrong password" || name == "nobody"; !refused && err != nil {
					t.Error(err)
				} else if refused && (err == nil || !strings.Contains(err.Error(), "docker login "+s.host())) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// sleeper puts a helper on the PATH that says that it began, and nothing more; what it
// starts holds its output.
func sleeper(t *testing.T) (began string) {
	t.Helper()
	dir := t.TempDir()
	began = filepath.Join(dir, "began")
	script := "#!/bin/sh\necho $$ >>" + began + "\ntail -f /dev/null --pid=" + fmt.Sprint(os.Getpid()) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-slipwaytest"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return began
}

// TestHelperThatHangs is ended; a test that fails here hangs.
func TestHelperThatHangs(t *testing.T) {
	sleeper(t)
	dockerConfig(t, map[string]any{"credsStore": "slipwaytest"})
	r := &Registry{Stall: time.Millisecond}
	err := r.Fetch(t.Context(), "127.0.0.1:1/app:1", amd64, OpenLayout(t.TempDir(), true))
	if err == nil || !strings.Contains(err.Error(), "credentials for 127.0.0.1:1: docker-credential-slipwaytest: no answer in 1ms") {
		t.Errorf("got %v", err)
	}
}

// TestSilentHelpersAreAskedOnce asks nobody again who has not answered, and keeps what
// one has said before it fell silent.
func TestSilentHelpersAreAskedOnce(t *testing.T) {
	var asked []string // k holds its lock
	k := keychain{run: func(_ context.Context, program, key string, _ time.Duration) (authn.AuthConfig, error) {
		asked = append(asked, program+" "+key)
		if key == "known" {
			return authn.AuthConfig{Username: "ann"}, nil
		}
		return authn.AuthConfig{}, errSilent
	}}
	if _, err := k.ask(t.Context(), "a", "known", 0); err != nil {
		t.Fatal(err)
	}
	var wanted sync.WaitGroup
	for range 3 {
		wanted.Go(func() {
			for _, program := range []string{"a", "b"} {
				if _, err := k.ask(t.Context(), program, "other", 0); !errors.Is(err, errSilent) {
					t.Errorf("%s: got %v", program, err)
				}
			}
		})
	}
	wanted.Wait()
	if c, err := k.ask(t.Context(), "a", "known", 0); c.Username != "ann" || err != nil {
		t.Errorf("what was known: %v, %v", c, err)
	}
	slices.Sort(asked)
	if want := []string{"a known", "a other", "b other"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// TestWhoseCredentials looks for a repository under each name that it may have, and asks
// the helpers that are named for it. A password is the name that it was found under, and a
// helper's the question.
func TestWhoseCredentials(t *testing.T) {
	auths := func(names ...string) map[string]any {
		of := map[string]any{}
		for _, name := range names {
			of[name] = login("ann", name)
		}
		return of
	}
	const app = "host.example/team/app"
	for title, row := range map[string]struct {
		image, knows string // the question that a helper can answer
		config       map[string]any
		environment  []string
		want         string
		asked        []string
	}{
		"a helper before what is stale":                    {app, "h host.example", map[string]any{"credsStore": "h", "auths": auths("host.example")}, []string{"other.example"}, "h host.example", []string{"h " + app, "h host.example"}},
		"a repository's helper before the host's password": {app, "h " + app, map[string]any{"credHelpers": map[string]any{app: "h"}, "auths": auths("host.example")}, nil, "h " + app, []string{"h " + app}},
		"a helper that knows nothing":                      {app, "", map[string]any{"credHelpers": map[string]any{app: "h"}, "auths": auths("host.example")}, nil, "host.example", []string{"h " + app}},
		"no helper for one host":                           {app, "h host.example", map[string]any{"credsStore": "h", "credHelpers": map[string]any{"host.example": ""}, "auths": auths("host.example")}, nil, "host.example", []string{"h " + app}},
		"the environment before all":                       {app, "h " + app, map[string]any{"credsStore": "h", "auths": auths(app)}, []string{"host.example"}, "host.example", nil},
		"the helper for all is not asked for a team":       {app, "h host.example/team", map[string]any{"credsStore": "h", "auths": auths("host.example/team", "https://host.example/v1/")}, nil, "", []string{"h " + app, "h host.example"}},
		"a team's helper":                                  {app, "h host.example/team", map[string]any{"credHelpers": map[string]any{"host.example/team": "h"}}, nil, "h host.example/team", []string{"h host.example/team"}},
		"a team's":                                         {app, "", map[string]any{"auths": auths("host.example", "host.example/team", "host.example/team/app2")}, nil, "host.example/team", nil},
		"no other team's":                                  {app, "", map[string]any{"auths": auths("host.example/a", "host.example/b", "host.example/te")}, nil, "", nil},
		"the host's and no other team's":                   {app, "", map[string]any{"auths": auths("host.example", "host.example/a", "https://host.example")}, nil, "host.example", nil},
		"a URL and no other team's":                        {app, "", map[string]any{"auths": auths("host.example/a", "https://host.example/v1/")}, nil, "https://host.example/v1/", nil},
		"two URLs":                                         {app, "", map[string]any{"auths": auths("https://host.example/v1/", "https://host.example/v2/", "https://host.example")}, nil, "https://host.example", nil},
		"an old one":                                       {app, "", map[string]any{"auths": auths("host.example/v1/")}, nil, "host.example/v1/", nil},
		"Docker Hub, Docker's":                             {"nginx", "", map[string]any{"auths": auths(authn.DefaultAuthKey, "docker.io")}, nil, authn.DefaultAuthKey, nil},
		"Docker Hub, Podman's":                             {"nginx", "", map[string]any{"auths": auths("docker.io")}, nil, "docker.io", nil},
		"Docker Hub, of one team":                          {"team/app", "", map[string]any{"auths": auths("docker.io", "docker.io/team")}, nil, "docker.io/team", nil},
		"Docker Hub, a helper for all":                     {"nginx", "", map[string]any{"credsStore": "h", "auths": auths(authn.DefaultAuthKey)}, nil, "", []string{"h index.docker.io/library/nginx", "h " + authn.DefaultAuthKey}},
		"Docker Hub, a helper of its own":                  {"nginx", "", map[string]any{"credHelpers": map[string]any{authn.DefaultAuthKey: "h"}, "auths": auths(authn.DefaultAuthKey)}, nil, "", []string{"h " + authn.DefaultAuthKey}},
	} {
		t.Run(title, func(t *testing.T) {
			dockerConfig(t, row.config)
			if row.environment != nil {
				text, err := json.Marshal(map[string]any{"auths": auths(row.environment...)})
				if err != nil {
					t.Fatal(err)
				}
				t.Setenv("DOCKER_AUTH_CONFIG", string(text))
			}
			var asked []string
			k := keychain{run: func(_ context.Context, program, key string, _ time.Duration) (c authn.AuthConfig, _ error) {
				question := strings.TrimPrefix(program, "docker-credential-") + " " + key
				asked = append(asked, question)
				if question == row.knows {
					c.Username, c.Password = "ann", question
				}
				return c, nil
			}}
			repo, err := name.NewRepository(row.image)
			if err != nil {
				t.Fatal(err)
			}
			// Several times: a map has no order.
			for range 10 {
				auth, err := k.of(t.Context(), repo, 0)
				if err != nil {
					t.Fatal(err)
				}
				if c, err := auth.Authorization(); err != nil || c.Password != row.want {
					t.Fatalf("got %q, %v; want %q", c.Password, err, row.want)
				}
			}
			if !slices.Equal(asked, row.asked) {
				t.Errorf("asked %q, want %q", asked, row.asked)
			}
		})
	}
}

// TestHelperIsLeft ends a helper when nobody waits for it any more, and takes that for
// no answer.
func TestHelperIsLeft(t *testing.T) {
	began := sleeper(t)
	dockerConfig(t, map[string]any{"credHelpers": map[string]any{"127.0.0.1:1": "slipwaytest"}})
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("interrupted")
	ended := make(chan error, 1)
	r := &Registry{Stall: poll.Longest}
	go func() { ended <- r.Fetch(ctx, "127.0.0.1:1/app:1", amd64, OpenLayout(t.TempDir(), true)) }()
	var pid int
	poll.Until(t, "a helper that runs", func() bool {
		text, _ := os.ReadFile(began)
		_, err := fmt.Sscan(string(text), &pid)
		return err == nil
	})
	cancel(left)
	if err := poll.For(t, "the end of the fetch", ended); !errors.Is(err, left) {
		t.Errorf("got %v", err)
	}
	poll.Until(t, "the helper's end", func() bool { return syscall.Kill(pid, 0) != nil })
}

// TestHelperIsAskedOnce keeps what it has said, for as many images as there are.
func TestHelperIsAskedOnce(t *testing.T) {
	img, _ := bigImage(t)
	var inner http.Handler
	s := serve(t, func(h http.Handler) *httptest.Server { inner = h; return basic(h) })
	open := &server{Server: httptest.NewServer(inner)}
	open.push(t, "app:1", img)
	open.push(t, "app:2", img)
	open.Close()
	helper(t, s.host(), "ann", "secret")
	dockerConfig(t, map[string]any{"credHelpers": map[string]any{s.host(): "slipwaytest"}})
	f := &Finder{Store: OpenLayout(t.TempDir(), true), Remote: impatient()}
	if err := use(f, s.host()+"/app:1"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := use(f, s.host()+"/app:2"); err != nil {
		t.Errorf("asked again: %v", err)
	}
}

// TestCredentialsOfOthers takes those of the environment before a helper's, and Podman's
// where there are none of Docker's.
func TestCredentialsOfOthers(t *testing.T) {
	for name, place := range map[string]func(t *testing.T, dir, auths string){
		"environment": func(t *testing.T, _, auths string) {
			dockerConfig(t, map[string]any{"credsStore": "nowhere"})
			t.Setenv("DOCKER_AUTH_CONFIG", auths)
		},
		"Podman's, by its variable": func(t *testing.T, dir, auths string) {
			t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "a.json"))
			writeAuth(t, filepath.Join(dir, "a.json"), auths)
		},
		"Podman's, of this session": func(t *testing.T, dir, auths string) {
			t.Setenv("XDG_RUNTIME_DIR", dir)
			writeAuth(t, filepath.Join(dir, "containers/auth.json"), auths)
		},
		"Podman's, of this user": func(t *testing.T, dir, auths string) {
			t.Setenv("HOME", dir)
			writeAuth(t, filepath.Join(dir, ".config/containers/auth.json"), auths)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
				t.Setenv(v, "")
			}
			img, _ := bigImage(t)
			var inner http.Handler
			s := serve(t, func(h http.Handler) *httptest.Server { inner = h; return basic(h) })
			open := &server{Server: httptest.NewServer(inner)}
			open.push(t, "app:1", img)
			open.Close()
			auths, err := json.Marshal(map[string]any{"auths": map[string]any{s.host(): login("ann", "secret")}})
			if err != nil {
				t.Fatal(err)
			}
			place(t, t.TempDir(), string(auths))
			if err := use(&Finder{Store: OpenLayout(t.TempDir(), true), Remote: impatient()}, s.host()+"/app:1"); err != nil {
				t.Error(err)
			}
		})
	}
}

func writeAuth(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestCertificates fetches over TLS from a registry of an authority of its own.
func TestCertificates(t *testing.T) {
	s := serve(t, httptest.NewTLSServer)
	img, _ := bigImage(t)
	s.push(t, "app:1", img)
	file := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, files := range [][]string{nil, {file}} {
		transport, err := TransportTrusting(files)
		if err != nil {
			t.Fatal(err)
		}
		r := impatient()
		r.Transport = transport
		err = use(&Finder{Store: OpenLayout(t.TempDir(), true), Remote: r}, s.host()+"/app:1")
		if files == nil && err == nil {
			t.Error("an unknown authority was trusted")
		} else if files != nil && err != nil {
			t.Error(err)
		}
	}
	if _, err := TransportTrusting([]string{"trust_test.go"}); err == nil {
		t.Error("no certificate was no fault")
	}
}
