package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is an image whose manifest and configuration have been read; its
// layers are opened when they are needed.
type Image struct {
	Name     string // full name
	Digest   v1.Hash
	Platform *v1.Platform
	Config   *v1.ConfigFile
	Manifest *v1.Manifest
	// Local images were built on this machine.
	Local bool

	// index is the index that lists the manifest for several platforms, if any.
	index *v1.Hash
	blobs blobs
	open  []io.Closer
}

// find looks a name up in an index and picks the platform.
func find(from blobs, index *v1.IndexManifest, name string, platform v1.Platform) (*Image, error) {
	want := FullName(name)
	miss := fmt.Errorf("image %s: %w", want, ErrNotFound)
	for _, d := range index.Manifests {
		if !goesBy(d, want) {
			continue
		}
		if !fits(d.Platform, platform) {
			miss = fmt.Errorf("image %s: %w for %s, only for %s", want, ErrNotFound, platform, d.Platform)
			continue
		}
		img, err := load(from, d, platform)
		if err != nil {
			err = fmt.Errorf("image %s: %w", want, err)
			if !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			miss = err
			continue
		}
		if pin := pinOf(want); pin != "" && pin != img.Digest.String() && (img.index == nil || pin != img.index.String()) {
			return nil, fmt.Errorf("image %s: what goes by that name here has the digest %s", want, d.Digest)
		}
		img.Name, img.Local = want, d.Annotations[InputsAnnotation] != ""
		return img, nil
	}
	return nil, miss
}

// goesBy tells whether a descriptor is what a full name means: it has that
// name, or the name is pinned to its digest.
func goesBy(d v1.Descriptor, want string) bool {
	have := nameOf(d)
	return have == want || have != "" && pinOf(want) == d.Digest.String() && repository(have) == repository(want)
}

// load reads the manifest a descriptor names, through an index if it is one.
func load(from blobs, d v1.Descriptor, platform v1.Platform) (*Image, error) {
	var via *v1.Hash
	for depth := 0; isIndex(d.MediaType); depth++ {
		if depth == 4 {
			return nil, errors.New("indexes nest too deeply")
		}
		data, err := document(from, d.Digest)
		if err != nil {
			return nil, err
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", d.Digest, err)
		}
		h := d.Digest
		via = &h
		if d, err = pick(index, platform); err != nil {
			return nil, err
		}
	}
	data, err := document(from, d.Digest)
	if errors.Is(err, ErrNotFound) && via != nil {
		return nil, fmt.Errorf("%w for %s, only its index", ErrNotFound, platform)
	}
	if err != nil {
		return nil, err
	}
	img := &Image{Digest: d.Digest, Platform: d.Platform, index: via, blobs: from}
	if img.Manifest, err = v1.ParseManifest(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	return img, img.readConfig()
}

func isIndex(t types.MediaType) bool {
	return t == types.OCIImageIndex || t == types.DockerManifestList
}

// pick chooses the manifest for a platform, passing over attestations.
func pick(index *v1.IndexManifest, platform v1.Platform) (v1.Descriptor, error) {
	var have []string
	for _, d := range index.Manifests {
		if d.Platform != nil && d.Platform.OS == "unknown" {
			continue
		}
		if fits(d.Platform, platform) {
			return d, nil
		}
		have = append(have, d.Platform.String())
	}
	return v1.Descriptor{}, fmt.Errorf("%w for %s, only for %s", ErrNotFound, platform, strings.Join(have, ", "))
}

func (i *Image) readConfig() error {
	data, err := document(i.blobs, i.Manifest.Config.Digest)
	if err != nil {
		return err
	}
	i.Config = &v1.ConfigFile{}
	if err := json.Unmarshal(data, i.Config); err != nil {
		return fmt.Errorf("configuration %s: %w", i.Manifest.Config.Digest, err)
	}
	if n, m := len(i.Manifest.Layers), len(i.Config.RootFS.DiffIDs); n != m {
		return fmt.Errorf("the manifest lists %d layers, the configuration %d", n, m)
	}
	return nil
}

// Close closes the layers that were opened.
func (i *Image) Close() error {
	var errs []error
	for _, c := range i.open {
		errs = append(errs, c.Close())
	}
	i.open = nil
	return errors.Join(errs...)
}
