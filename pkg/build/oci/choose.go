package oci

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds of a search: how deep indexes nest, and how many documents are read.
const (
	maxNesting   = 4
	maxDocuments = 64
)

// errNoImage is what is found under a name or in an index and is no image.
var errNoImage = errors.New("no image")

// chooser looks for the image of a platform in what an index lists, as
// containerd does:
//
//   - Of the entries that name a platform the one that fits best is taken.
//   - An entry that names none comes after all of them; then the configuration
//     of the image says what it is for.
//   - Attestations (BuildKit's annotation) and artifacts are passed over.
type chooser struct {
	platform v1.Platform
	// manifest reads a manifest or an index.
	manifest func(v1.Descriptor) ([]byte, error)
	// config reads the configuration that a manifest names.
	config func(v1.Descriptor, *v1.Manifest) (*v1.ConfigFile, error)

	read int // documents, so far
}

// choice is the manifest that was chosen.
type choice struct {
	v1.Descriptor
	manifest *v1.Manifest
	listed   v1.Descriptor // the entry of the outermost index that led to it
	via      []v1.Hash     // the indexes on the way, the outermost first
}

// candidate is an entry that may do.
type candidate struct {
	v1.Descriptor
	rank int
}

// last is the rank of an entry that names no platform.
const last = 1 << 10

func (c *chooser) choose(list []v1.Descriptor, via []v1.Hash) (*choice, error) {
	var fit []candidate
	var have []v1.Platform
	passed := 0
	for _, d := range list {
		switch r := last; {
		case isAttestation(d):
			passed++
		case unspecified(d.Platform):
			fit = append(fit, candidate{d, r})
		default:
			if r = rank(*d.Platform, c.platform); r >= 0 {
				fit = append(fit, candidate{d, r})
			} else {
				have = append(have, *d.Platform)
			}
		}
	}
	slices.SortStableFunc(fit, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	var miss error
	for i, f := range fit {
		found, err := c.open(f.Descriptor, via)
		if err == nil {
			found.listed = f.Descriptor
			return found, nil
		}
		var other *otherPlatform
		switch {
		case errors.As(err, &other):
			have = append(have, other.have)
		case !errors.Is(err, ErrNotFound) && !errors.Is(err, errNoImage):
			return nil, err
		case miss == nil || errors.Is(miss, errNoImage):
			miss = err
		}
		// The image that fits is listed and not there: another one is no help.
		if f.rank < last && (i+1 == len(fit) || fit[i+1].rank != f.rank) {
			break
		}
	}
	switch {
	case miss != nil:
		return nil, miss
	case len(have) > 0:
		return nil, onlyFor(c.platform, have)
	case passed > 0:
		return nil, fmt.Errorf("%w in it, only attestations", errNoImage)
	}
	return nil, fmt.Errorf("%w in it", errNoImage)
}

// otherPlatform is an image whose configuration says that it is for another.
type otherPlatform struct{ have v1.Platform }

func (o *otherPlatform) Error() string { return "an image for " + describe(o.have) }

// isAttestation tells whether a descriptor is of what BuildKit says about an
// image, and not of an image.
func isAttestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// documentKind is what tells an index from a manifest, whatever it is said to be.
type documentKind struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     types.MediaType    `json:"mediaType"`
	ArtifactType  string             `json:"artifactType"`
	Manifests     *[]json.RawMessage `json:"manifests"`
	Config        *v1.Descriptor     `json:"config"`
}

func (c *chooser) open(d v1.Descriptor, via []v1.Hash) (*choice, error) {
	if c.read++; c.read > maxDocuments {
		return nil, fmt.Errorf("more than %d manifests to look at", maxDocuments)
	}
	data, err := c.manifest(d)
	if errors.Is(err, ErrNotFound) && len(via) > 0 {
		return nil, fmt.Errorf("%w for %s, only its index: %v", ErrNotFound, c.platform, err) //nolint:errorlint // one cause is enough
	}
	if err != nil {
		return nil, err
	}
	var kind documentKind
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, jsonError(err))
	}
	switch {
	case kind.SchemaVersion == 1 || strings.Contains(string(kind.MediaType), "distribution.manifest.v1"):
		return nil, fmt.Errorf("manifest %s is of Docker's schema 1, which no engine takes any more; build or push the image anew", d.Digest)
	case kind.Manifests != nil, kind.Config == nil && (d.MediaType.IsIndex() || kind.MediaType.IsIndex()):
		if len(via) == maxNesting {
			return nil, errors.New("indexes nest too deeply")
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", d.Digest, jsonError(err))
		}
		return c.choose(index.Manifests, append(slices.Clip(via), d.Digest))
	}
	if err := kind.check(d); err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, jsonError(err))
	}
	d.MediaType = cmp.Or(d.MediaType, m.MediaType)
	if unspecified(d.Platform) {
		config, err := c.config(d, m)
		if err != nil {
			return nil, err
		}
		if p := config.Platform(); !unspecified(p) && rank(*p, c.platform) < 0 {
			return nil, &otherPlatform{*p}
		}
	}
	return &choice{Descriptor: d, manifest: m, via: via}, nil
}

// check finds manifests of what is no image: signatures, charts, attestations.
func (k *documentKind) check(d v1.Descriptor) error {
	if k.Config == nil {
		return fmt.Errorf("%s is %w: neither a manifest nor an index", d.Digest, errNoImage)
	}
	of := k.ArtifactType
	switch k.Config.MediaType {
	case types.OCIConfigJSON, types.DockerConfigJSON:
		return nil
	case "application/vnd.oci.empty.v1+json":
		of = cmp.Or(of, string(k.Config.MediaType))
	}
	if of != "" {
		return fmt.Errorf("%s is %w, but an artifact of type %s", d.Digest, errNoImage, printable(of))
	}
	return nil
}
