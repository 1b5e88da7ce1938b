package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// leftover writes the beginning of a layer as a killed build leaves it.
func leftover(t *testing.T, store *Layout, h v1.Hash, data []byte) {
	t.Helper()
	name := filepath.Join(store.Dir(), "partial", h.Hex)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func compressed(t *testing.T, img v1.Image) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := OpenLayout(dir, true).Put("x", img, nil); err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(OpenLayout(dir, true).path(m.Layers[0].Digest))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDownloads lets a registry misbehave in every way a network does. ranges
// are what is asked for one after the other; want is in the error, "" if it has
// to work in the end.
func TestDownloads(t *testing.T) {
	img, layer := bigImage(t)
	data := compressed(t, img)
	half := len(data) / 2
	rest := fmt.Sprintf("bytes=%d-%d", half, len(data)-1)
	stopped := func(w http.ResponseWriter, r *http.Request, whole http.Handler) {
		whole.ServeHTTP(&cutAfter{w, half}, r)
	}
	cases := []struct {
		name   string
		have   []byte // of an earlier build
		answer func(n int, w http.ResponseWriter, r *http.Request, whole http.Handler) bool
		ranges []string
		want   string
		silent bool // the time for a server to say something is over with half of the layer
	}{
		{name: "a good server", ranges: []string{""}},
		{name: "cut connection", ranges: []string{"", rest}, answer: func(n int, w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
			if n == 1 {
				stopped(w, r, whole)
			}
			return n == 1
		}},
		{name: "goes on after a kill", have: data[:half], ranges: []string{rest}},
		{name: "all was there but for the name", have: data},
		{name: "a server without ranges", have: data[:half], ranges: []string{rest}, answer: func(_ int, w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
			r.Header.Del("Range")
			return false
		}},
		{name: "the wrong part", have: data[:half], ranges: []string{rest, ""}, answer: func(n int, w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
			if n == 1 {
				r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", half+1, len(data)-1))
			}
			return false
		}},
		{name: "a range refused", have: data[:half], ranges: []string{rest, ""}, answer: func(n int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if n == 1 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return n == 1
		}},
		{name: "a beginning of something else", have: make([]byte, half), ranges: []string{rest, ""}},
		{name: "a leftover that is too long", have: append(data[:len(data):len(data)], 1), ranges: []string{""}},
		{name: "busy, then not", ranges: []string{"", "", ""}, answer: func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n < 3
		}},
		{name: "silent after half", silent: true, ranges: []string{"", rest}, answer: func(n int, w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
			if n > 1 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			if _, err := w.Write(data[:half]); err != nil {
				return true
			}
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}},
		{name: "not there", ranges: []string{""}, want: "not found", answer: func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			http.NotFound(w, r)
			return true
		}},
		{name: "other content", ranges: []string{""}, want: "wrong digest", answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			_, err := w.Write(make([]byte, len(data)))
			return err == nil
		}},
		{name: "without end", ranges: []string{""}, want: "more bytes than", answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := plainServer(t)
			s.push(t, "team/app:1", img)
			n := 0
			s.misbehave = func(w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
				if !isLayer(r, layer) {
					return false
				}
				n++
				return c.answer != nil && c.answer(n, w, r, whole)
			}
			store := OpenLayout(t.TempDir(), true)
			if c.have != nil {
				leftover(t, store, layer.Digest, c.have)
			}
			remote := impatient()
			if c.silent {
				remote.silentAt(int64(half))
			}
			err := use(&Finder{Store: store, Remote: remote}, s.host()+"/team/app:1")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if got := s.asked(layer); strings.Join(got, "|") != strings.Join(c.ranges, "|") || len(got) != len(c.ranges) {
				t.Errorf("asked for %q, want %q", got, c.ranges)
			}
			checkStore(t, store)
		})
	}
}

// silentAt has the first try's time be over when so much of a layer is there.
func (r *Registry) silentAt(bytes int64) {
	var over func()
	r.after = func(d time.Duration, f func()) *time.Timer {
		r.after, over = nil, f
		return time.AfterFunc(d, f)
	}
	r.Progress = stopAt{bytes, func() { over() }}
}

// checkStore wants every blob to be what its name says.
func checkStore(t *testing.T, store *Layout) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(store.Dir(), "blobs/sha256/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if hashOf(data).Hex != filepath.Base(name) {
			t.Errorf("%s has the digest %s", name, hashOf(data))
		}
	}
}

// TestBusyRegistry tries again for manifests, too.
func TestBusyRegistry(t *testing.T) {
	img, _ := bigImage(t)
	busy := 0
	s := serve(t, func(inner http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && busy > 0 {
				busy--
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			inner.ServeHTTP(w, r)
		}))
	})
	s.push(t, "app:1", img)
	busy = 2
	if err := use(&Finder{Store: OpenLayout(t.TempDir(), true), Remote: impatient()}, s.host()+"/app:1"); err != nil {
		t.Error(err)
	}
	if busy != 0 {
		t.Errorf("%d refusals were not met", busy)
	}
}

// stopAt ends a build when so much of a layer is there.
type stopAt struct {
	bytes int64
	stop  func()
}

func (s stopAt) Start(string, int64, int64) Transfer { return s }

func (s stopAt) At(bytes int64) {
	if bytes >= s.bytes {
		s.stop()
	}
}

func (s stopAt) Close() {}

// TestInterruptedDownload ends a build in the middle of a layer; the next one
// fetches the rest alone.
func TestInterruptedDownload(t *testing.T) {
	img, layer := bigImage(t)
	s := plainServer(t)
	s.push(t, "app:1", img)
	ctx, cancel := context.WithCancel(t.Context())
	s.misbehave = func(w http.ResponseWriter, r *http.Request, whole http.Handler) bool {
		if !isLayer(r, layer) {
			return false
		}
		whole.ServeHTTP(&cutAfter{w, int(layer.Size) / 2}, r)
		return true
	}
	store := OpenLayout(t.TempDir(), true)
	slow := &Registry{Pause: time.Hour, Progress: stopAt{layer.Size / 2, cancel}}
	if err := slow.Fetch(ctx, s.host()+"/app:1", amd64, store); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	checkStore(t, store)
	s.misbehave = nil
	s.forget()
	if err := use(&Finder{Store: store, Remote: impatient()}, s.host()+"/app:1"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.asked(layer)); got != fmt.Sprintf("[bytes=%d-%d]", layer.Size/2, layer.Size-1) {
		t.Errorf("asked for %s", got)
	}
}
