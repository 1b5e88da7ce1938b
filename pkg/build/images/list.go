package images

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"slipway/pkg/build/oci"
)

// State says how an image in the store stands to its recipe.
type State string

// The states of an image.
const (
	Missing  State = "missing"
	UpToDate State = "up to date"
	Built    State = "built"    // with no recipe, or none of its tools, to compare it with
	Imported State = "imported" // made elsewhere
	Outdated State = "outdated" // an input has changed since it was built
	Broken   State = "broken"   // its inputs cannot be found out, so it cannot be built
)

// A Status is one line of the list of images.
type Status struct {
	Name     string `json:"name"` // full name in the store
	About    string `json:"about"`
	OnDemand bool   `json:"onDemand"`
	State    State  `json:"state"`
	Fault    string `json:"fault,omitempty"` // why it is broken
	Digest   string `json:"digest,omitempty"`
	Size     int64  `json:"size,omitempty"` // bytes of its compressed layers
	Sources  string `json:"sources,omitempty"`
}

// ShortDigest is enough of the digest to tell images apart.
func (s *Status) ShortDigest() string {
	if len(s.Digest) < 19 {
		return "-"
	}
	return s.Digest[7:19]
}

// HumanSize is the size in megabytes.
func (s *Status) HumanSize() string {
	if s.Digest == "" {
		return "-"
	}
	return megabytes(s.Size)
}

// List compares every recipe with the store.
func (b *Builder) List(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, name := range b.names() {
		s, err := b.status(ctx, b.recipes[name])
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, ctx.Err()
}

func (b *Builder) status(ctx context.Context, r *Recipe) (Status, error) {
	s := Status{Name: strings.TrimPrefix(FullName(r.Name), "docker.io/"), About: r.About, OnDemand: r.OnDemand, State: Missing}
	d, err := b.store.entry(r.Name)
	if err != nil || d == nil {
		return s, err
	}
	img, err := b.store.image(d)
	if err != nil {
		return s, err
	}
	conf, err := img.ConfigFile()
	if err == nil {
		s.Size, err = layersSize(img)
	}
	if err != nil {
		return s, fmt.Errorf("read image %s from the store: %w", d.Name, err)
	}
	s.Digest, s.Sources, s.State = d.Digest.String(), conf.Config.Labels[oci.SourcesLabel], UpToDate
	switch {
	case d.Annotations[annotationInputs] == imported:
		s.State = Imported
	case r.stored() || missing([]*Recipe{r}, b.site(r)) != nil:
		s.State = Built
	}
	if s.State != UpToDate {
		s.About = cmp.Or(s.About, conf.Config.Labels[labelAbout])
		return s, nil
	}
	inputs, err := b.inputs(ctx, r, b.site(r))
	switch {
	case err != nil:
		s.State, s.Fault = Broken, err.Error()
	case inputs != d.Annotations[annotationInputs]:
		s.State = Outdated
	}
	return s, nil
}
