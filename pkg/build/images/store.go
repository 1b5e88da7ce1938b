package images

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"slipway/pkg/build/oci"
)

// annotationInputs is the sum of what an image was built from, on its entry in
// the index of the store: not in the image, whose bytes it would change.
const annotationInputs = oci.InputsAnnotation

// A store is the local image store, asked for one platform.
type store struct {
	layout   *oci.Layout
	platform v1.Platform
}

// entry returns the index entry of an image, or nil. One that a registry gave under
// our name is none of ours.
func (s store) entry(name string) (*oci.Item, error) {
	items, err := s.layout.List()
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if item.Name == FullName(name) && item.Annotations[oci.FetchedAnnotation] == "" && item.Platform != nil && item.Platform.Satisfies(s.platform) {
			return &item, nil
		}
	}
	return nil, nil
}

// image reads an image that entry found.
func (s store) image(item *oci.Item) (v1.Image, error) {
	img, err := layout.Path(s.layout.Dir()).Image(item.Digest)
	if err != nil {
		return nil, fmt.Errorf("read image %s from the store: %w", item.Name, err)
	}
	return img, nil
}

// put writes an image, and then, in one step, its entry in the index.
func (s store) put(name, inputs string, img v1.Image) error {
	return s.layout.Put(FullName(name), img, map[string]string{annotationInputs: inputs})
}
