package oci

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/pkg/build/tree"
)

// server is a registry on loopback that can misbehave, and remembers what it
// was asked.
type server struct {
	*httptest.Server
	// misbehave answers a request for a blob in its own way and says so.
	misbehave func(w http.ResponseWriter, r *http.Request, whole http.Handler) bool

	lock  sync.Mutex
	blobs map[string][]string // the Range of every request for a blob, "" for all of it
	heads []string            // paths of the manifests asked for
}

func serve(t *testing.T, start func(http.Handler) *httptest.Server) *server {
	t.Helper()
	s := &server{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			s.lock.Lock()
			s.heads = append(s.heads, path.Base(r.URL.Path))
			s.lock.Unlock()
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			s.lock.Lock()
			if s.blobs == nil {
				s.blobs = map[string][]string{}
			}
			digest := path.Base(r.URL.Path)
			s.blobs[digest] = append(s.blobs[digest], r.Header.Get("Range"))
			s.lock.Unlock()
			if s.misbehave != nil && s.misbehave(w, r, inner) {
				return
			}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func plainServer(t *testing.T) *server { t.Helper(); return serve(t, httptest.NewServer) }

func (s *server) host() string { return s.URL[strings.Index(s.URL, "//")+2:] }

// push puts an image on the server.
func (s *server) push(t *testing.T, image string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(s.host() + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithTransport(s.Client().Transport)); err != nil {
		t.Fatal(err)
	}
	s.forget()
}

func (s *server) forget() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.blobs, s.heads = nil, nil
}

// asked gives the ranges of a layer that were asked for.
func (s *server) asked(layer v1.Descriptor) []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.blobs[layer.Digest.String()]
}

// bigImage is an image of one layer of about 1 MB that does not compress.
func bigImage(t *testing.T) (v1.Image, v1.Descriptor) {
	t.Helper()
	img, err := random.Image(1<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return img, m.Layers[0]
}

// isLayer tells a request for the layer from one for the configuration.
func isLayer(r *http.Request, layer v1.Descriptor) bool {
	return strings.HasSuffix(r.URL.Path, layer.Digest.String())
}

// impatient tries again at once.
func impatient() *Registry { return &Registry{Pause: time.Millisecond, Stall: time.Minute} }

// use fetches an image and reads all of it.
func use(f *Finder, image string) error {
	img, err := f.Get(context.Background(), image, amd64)
	if err != nil {
		return err
	}
	_, err = img.Tree(context.Background(), tree.DefaultLimits)
	return errors.Join(err, img.Close())
}

// cutAfter writes the beginning of the answer and breaks the connection.
type cutAfter struct {
	http.ResponseWriter
	left int
}

func (c *cutAfter) Write(b []byte) (int, error) {
	if len(b) > c.left {
		b = b[:c.left]
	}
	n, err := c.ResponseWriter.Write(b)
	if c.left -= n; c.left == 0 {
		if f, ok := c.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	return n, err
}
