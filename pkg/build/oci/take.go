package oci

import (
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Take copies an image of another source into the layout, byte for byte, and lists it
// under its name. Every blob is hashed on the way.
func (l *Layout) Take(img *Image, annotations map[string]string) error {
	d, err := l.take(img)
	if err != nil {
		return fmt.Errorf("store image %s: %w", img.Name, err)
	}
	return l.list(img.Name, d, img.Platform, annotations)
}

func (l *Layout) take(img *Image) (v1.Descriptor, error) {
	d := v1.Descriptor{MediaType: img.Manifest.MediaType, Digest: img.Digest, Platform: img.Platform}
	if l.dir == "" {
		return d, ErrNoStore
	}
	if img.Digest.Hex == "" {
		return d, errors.New("it was written by docker save and has no manifest")
	}
	for _, layer := range img.Manifest.Layers {
		if l.holds(layer.Digest, layer.Size) {
			continue
		}
		if err := l.copyBlob(img.blobs, layer.Digest); err != nil {
			return d, err
		}
	}
	for _, h := range []v1.Hash{img.Manifest.Config.Digest, img.Digest} { // the manifest last
		doc, err := document(img.blobs, h)
		if err == nil {
			err = l.writeDocument(doc)
		}
		if err != nil {
			return d, err
		}
		d.Size = int64(len(doc))
	}
	return d, nil
}

func (l *Layout) copyBlob(from blobs, h v1.Hash) (err error) {
	b, err := from.open(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return l.writeBlob(h, b.Reader())
}
