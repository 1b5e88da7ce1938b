package oci

import (
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Part is a blob of an image as it is stored.
type Part struct {
	Digest v1.Hash
	*Blob
}

// Parts opens the blobs an image consists of: configuration, layers, manifest,
// and the indexes it was found through, if any. They are closed with the image.
func (i *Image) Parts() ([]Part, error) {
	if i.Digest.Hex == "" {
		return nil, fmt.Errorf("image %s: a tar of docker save has no manifest to keep", i.Name)
	}
	digests := []v1.Hash{i.Manifest.Config.Digest}
	for _, l := range i.Manifest.Layers {
		digests = append(digests, l.Digest)
	}
	digests = append(append(digests, i.Digest), i.via...)
	var parts []Part
	for _, d := range digests {
		b, err := i.blobs.open(d)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", i.Name, err)
		}
		i.open = append(i.open, b)
		if err := verify(b.Reader(), d); err != nil {
			return nil, errors.Join(fmt.Errorf("image %s: blob %s: %w", i.Name, d, err), b.Close())
		}
		parts = append(parts, Part{d, b})
	}
	return parts, nil
}

// Descriptor is the entry for the image in a layout's index: the outermost index
// it was found through, else its manifest.
func (i *Image) Descriptor() v1.Descriptor {
	d := v1.Descriptor{Annotations: map[string]string{refAnnotation: i.Name}}
	if len(i.via) > 0 {
		d.MediaType, d.Digest = "application/vnd.oci.image.index.v1+json", i.via[0]
		return d
	}
	d.MediaType, d.Digest, d.Platform = i.Manifest.MediaType, i.Digest, i.Platform
	return d
}
