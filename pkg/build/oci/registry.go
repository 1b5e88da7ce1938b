package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// Registry fetches images over the network, with the credentials that
// "docker login" has left.
type Registry struct {
	// Progress is told of every download; nil tells nobody.
	Progress func(what string, size int64) io.WriteCloser
	// Options are handed on, for tests.
	Options []remote.Option
	// Mirrors are hosts to ask instead of the one an image names.
	Mirrors map[string]string
}

// downloads is how many layers of an image are fetched side by side.
const downloads = 4

// Fetch brings an image into the store. Layers the store has are not fetched
// again, so an interrupted fetch goes on with the layer it was at.
func (r *Registry) Fetch(ctx context.Context, image string, platform v1.Platform, store *Layout) error {
	full := FullName(image)
	ref, err := r.reference(full)
	if err != nil {
		return fmt.Errorf("image %s: %w", full, err)
	}
	options := append([]remote.Option{
		remote.WithContext(ctx), remote.WithPlatform(platform),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
	}, r.Options...)
	img, err := remote.Image(ref, options...)
	if err != nil {
		return fmt.Errorf("fetch image %s: %w", full, err)
	}
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("fetch image %s: %w", full, err)
	}
	var group errgroup.Group
	group.SetLimit(downloads)
	for _, layer := range layers {
		group.Go(func() error { return r.fetchLayer(full, layer, store) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("fetch image %s: %w", full, err)
	}
	return store.Put(full, img, nil)
}

func (r *Registry) reference(full string) (name.Reference, error) {
	ref, err := name.ParseReference(full)
	if err != nil {
		return nil, err
	}
	mirror := r.Mirrors[full[:strings.IndexByte(full, '/')]]
	if mirror == "" {
		return ref, nil
	}
	host, err := name.NewRegistry(mirror)
	if err != nil {
		return nil, fmt.Errorf("mirror %q: %w", mirror, err)
	}
	repo := host.Repo(ref.Context().RepositoryStr())
	if d, ok := ref.(name.Digest); ok {
		return repo.Digest(d.DigestStr()), nil
	}
	return repo.Tag(ref.Identifier()), nil
}

func (r *Registry) fetchLayer(image string, layer v1.Layer, store *Layout) error {
	h, err := layer.Digest()
	if err != nil {
		return err
	}
	if store.has(h) {
		return nil
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	rc, err := layer.Compressed()
	if err != nil {
		return err
	}
	if r.Progress == nil {
		return errors.Join(store.writeBlob(h, rc), rc.Close())
	}
	bar := r.Progress(fmt.Sprintf("%s %.12s", image, h.Hex), size)
	err = store.writeBlob(h, io.TeeReader(rc, bar))
	return errors.Join(err, bar.Close(), rc.Close())
}
