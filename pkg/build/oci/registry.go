package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"
)

// Registry fetches images over the network, with the credentials that
// "docker login" has left, credential helpers included.
type Registry struct {
	// Progress is told of every download; nil tells nobody.
	Progress Progress
	// Mirrors are hosts to ask instead of the one an image names.
	Mirrors Mirrors
	// Transport is http.DefaultTransport if nil.
	Transport http.RoundTripper
	// Pause is the time before a second try, doubled before each further one;
	// a second if 0. Stall is how long a server, or a credential helper, may say
	// nothing; a minute if 0.
	Pause, Stall time.Duration

	after func(time.Duration, func()) *time.Timer // time.AfterFunc if nil
	keys  keychain
}

// Progress follows downloads, several at once.
type Progress interface {
	// Start begins one, of which have bytes of size are there already.
	Start(what string, have, size int64) Transfer
}

// Transfer follows one download.
type Transfer interface {
	// At says how much is there; less than before if a server begins anew.
	At(bytes int64)
	Close()
}

// downloads is how many layers of an image are fetched side by side.
const downloads = 4

// Fetch brings an image into the store, for one platform. Layers the store has
// are not fetched again, and a layer that was cut off goes on where it was.
func (r *Registry) Fetch(ctx context.Context, image string, platform v1.Platform, store *Layout) error {
	full := FullName(image)
	ref, err := r.Mirrors.reference(full)
	if err == nil {
		err = r.fetch(ctx, full, ref, platform, store)
	}
	if err != nil {
		return fmt.Errorf("fetch image %s: %w", full, explain(err, ref))
	}
	return nil
}

func (r *Registry) fetch(ctx context.Context, full string, ref name.Reference, platform v1.Platform, store *Layout) error {
	client, img, via, err := r.find(ctx, ref, platform)
	if err != nil {
		return err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for _, layer := range manifest.Layers {
		d := &download{Registry: r, client: client, repo: ref.Context(), blob: layer, store: store, what: full}
		group.Go(func() error { return d.run(ctx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	from := map[string]string{FetchedAnnotation: ref.Context().RegistryStr()}
	return store.putIndexed(full, img, via, from)
}

// find logs in and looks for an image; layers are left where they are.
func (r *Registry) find(ctx context.Context, ref name.Reference, platform v1.Platform) (*http.Client, v1.Image, []*remote.Descriptor, error) {
	client, err := r.login(ctx, ref, transport.PullScope)
	if err != nil {
		return nil, nil, nil, err
	}
	s := &search{options: []remote.Option{remote.WithContext(ctx), remote.WithTransport(client.Transport)}, repo: ref.Context(), found: map[v1.Hash]*remote.Descriptor{}}
	img, via, err := s.find(ref, platform)
	return client, img, via, err
}

// resolve is Finder.Resolve.
func (r *Registry) resolve(ctx context.Context, image string, platform v1.Platform) ([]string, error) {
	full := FullName(image)
	ref, err := r.Mirrors.reference(full)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", full, err)
	}
	_, img, via, err := r.find(ctx, ref, platform)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", full, explain(err, ref))
	}
	var all []string
	for _, d := range via {
		all = append(all, d.Digest.String())
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", full, err)
	}
	return append(all, digest.String()), nil
}

// search looks for an image in a registry.
type search struct {
	options []remote.Option
	repo    name.Repository
	found   map[v1.Hash]*remote.Descriptor
}

// find gives the image for a platform, and the indexes that led to it.
func (s *search) find(ref name.Reference, platform v1.Platform) (v1.Image, []*remote.Descriptor, error) {
	top, err := remote.Get(ref, s.options...)
	if err != nil {
		return nil, nil, err
	}
	s.found[top.Digest] = top
	c := &chooser{platform: platform, manifest: s.manifest, config: s.config}
	chosen, err := c.choose([]v1.Descriptor{{MediaType: top.MediaType, Digest: top.Digest}}, nil)
	if err != nil {
		return nil, nil, err
	}
	var via []*remote.Descriptor
	for _, h := range chosen.via {
		via = append(via, s.found[h])
	}
	img, err := s.found[chosen.Digest].Image()
	return img, via, err
}

func (s *search) manifest(d v1.Descriptor) ([]byte, error) {
	if s.found[d.Digest] == nil {
		got, err := remote.Get(s.repo.Digest(d.Digest.String()), s.options...)
		if err != nil {
			return nil, err
		}
		s.found[d.Digest] = got
	}
	return s.found[d.Digest].Manifest, nil
}

func (s *search) config(d v1.Descriptor, _ *v1.Manifest) (*v1.ConfigFile, error) {
	img, err := s.found[d.Digest].Image()
	if err != nil {
		return nil, err
	}
	return img.ConfigFile()
}

// again are what a server answers that may do better a moment later.
var again = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

func (r *Registry) stall() time.Duration { return cmp.Or(r.Stall, time.Minute) }

// login asks the registry how to authenticate and gives a client that does, for
// pulling or pushing.
func (r *Registry) login(ctx context.Context, ref name.Reference, scope string) (*http.Client, error) {
	repo := ref.Context()
	auth, err := r.keys.of(ctx, repo, r.stall())
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", repo.RegistryStr(), err)
	}
	base := transport.NewRetry(cmp.Or(r.Transport, http.DefaultTransport), transport.WithRetryStatusCodes(again...),
		transport.WithRetryBackoff(transport.Backoff{Duration: r.pause(), Factor: 2, Jitter: 0.1, Steps: 3}))
	t, err := transport.NewWithContext(ctx, repo.Registry, auth, base, []string{repo.Scope(scope)})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, CheckRedirect: stayOutside}, nil
}

// stayOutside keeps a registry from sending us to addresses behind our own
// firewall, unless it is there itself.
func stayOutside(next *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("redirected too often")
	}
	if private(next.URL.Hostname()) && !private(via[0].URL.Hostname()) {
		return fmt.Errorf("redirected to the private address %s", next.URL.Host)
	}
	return nil
}

func private(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

func (r *Registry) pause() time.Duration {
	if r.Pause == 0 {
		return time.Second
	}
	return r.Pause
}

// explain says what to do where the error alone does not.
func explain(err error, ref name.Reference) error {
	refused, is := errors.AsType[*transport.Error](err)
	if !is || ref == nil {
		return err
	}
	switch refused.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w (no such image, or `docker login %s` is needed)", err, ref.Context().RegistryStr())
	case http.StatusNotFound:
		return errors.Join(ErrNotFound, err)
	}
	return err
}
