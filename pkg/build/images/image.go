package images

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"slipway/pkg/build/oci"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Labels that every image of ours has, beside the recipe's.
const (
	labelTitle = "org.opencontainers.image.title"
	labelAbout = "org.opencontainers.image.description"
)

// A packedLayer is a tree as a compressed layer. It is kept in memory, for it is
// wanted several times: summed, measured, written.
type packedLayer struct {
	packed         []byte
	digest, diffID v1.Hash
}

func packLayer(t Tree) (*packedLayer, error) {
	var packed bytes.Buffer
	plain := sha256.New()
	z := gzip.NewWriter(&packed)
	if err := t.WriteTar(io.MultiWriter(z, plain)); err != nil {
		return nil, fmt.Errorf("pack layer: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack layer: %w", err)
	}
	sum := sha256.Sum256(packed.Bytes())
	return &packedLayer{
		packed: packed.Bytes(),
		digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
		diffID: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(plain.Sum(nil))},
	}, nil
}

func (l *packedLayer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *packedLayer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *packedLayer) Size() (int64, error)                { return int64(len(l.packed)), nil }
func (l *packedLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

func (l *packedLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.packed)), nil
}

func (l *packedLayer) Uncompressed() (io.ReadCloser, error) {
	return gzip.NewReader(bytes.NewReader(l.packed))
}

// pack makes the image: the layer on top of base, which may be nil, with the
// recipe's configuration. What the recipe leaves out the base has said.
func pack(base v1.Image, t Tree, s *site) (v1.Image, error) {
	if base == nil {
		base = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	layer, err := packLayer(t)
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "slipway images build " + s.recipe.Name},
	})
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	was, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	conf := was.DeepCopy()
	conf.OS, conf.Architecture, conf.Created = "linux", s.arch, v1.Time{Time: epoch}
	if err := configure(&conf.Config, s); err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, conf)
}

// title is a name without its tag.
func title(name string) string {
	if isOwn(name) {
		return Repository + name
	}
	slash := strings.LastIndex(name, "/")
	base, _, _ := strings.Cut(name[slash:], ":")
	return name[:slash] + base
}

func configure(conf *v1.Config, s *site) error {
	want := &s.recipe.Config
	labels, err := want.labels()
	if err != nil {
		return err
	}
	labels[labelTitle] = title(s.recipe.Name)
	labels[labelAbout] = s.recipe.About
	sources := s.sources
	if below := conf.Labels[oci.SourcesLabel]; below != "" {
		sources = append([]string{below}, sources...)
	}
	if len(sources) > 0 {
		labels[oci.SourcesLabel] = strings.Join(sources, ", ")
	}
	conf.Labels = labels
	if want.Entrypoint != nil {
		// The arguments of the base were meant for the base's entrypoint.
		conf.Entrypoint, conf.Cmd = want.Entrypoint, nil
	}
	if want.Cmd != nil {
		conf.Cmd = want.Cmd
	}
	if want.Env != nil {
		conf.Env = want.Env
	}
	if want.WorkingDir != "" {
		conf.WorkingDir = want.WorkingDir
	}
	return nil
}
