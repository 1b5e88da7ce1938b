package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// addVolumes makes /containers/volumes/NAME with lower, tmp and merged, which
// the boot overlays.
func (l *layout) addVolumes() error {
	for i, v := range l.config.Volumes {
		origin := &tree.Origin{Location: fmt.Sprintf("volumes[%d]", i)}
		if v.Image != "" {
			origin.Image = l.sourceName(v.Image)
		}
		if err := l.addVolume(v, origin); err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	return nil
}

func (l *layout) addVolume(v *yml.Volume, origin *tree.Origin) error {
	lower := spec.VolumePath(v.Name, "lower")
	if err := l.root.MkdirAll(lower, origin); err != nil {
		return err
	}
	switch {
	case v.Image == "":
	case v.Format == "oci":
		if err := l.addVolumeLayout(v, lower, origin); err != nil {
			return err
		}
	default:
		image, err := l.images.Tree(l.ctx, v.Image)
		if err != nil {
			return err
		}
		if err := l.graft(lower, image, origin, resolvLink); err != nil {
			return err
		}
	}
	// Without a directory for what is written the boot mounts the volume read-only.
	// LinuxKit's tool always makes one, and so leaves it to the binds.
	if !v.Readonly || l.Hardening == spec.HardeningNone {
		if err := l.root.MkdirAll(spec.VolumePath(v.Name, "tmp"), origin); err != nil {
			return err
		}
	}
	return l.root.MkdirAll(spec.VolumePath(v.Name, "merged"), origin)
}

// addVolumeLayout keeps an image, for one platform or several, as an OCI
// layout. A tool in the machine reads it; containers only see files.
func (l *layout) addVolumeLayout(v *yml.Volume, lower string, origin *tree.Origin) error {
	platforms, err := volumePlatforms(v, l.Platform)
	if err != nil {
		return err
	}
	if err := l.root.MkdirAll(lower+"/blobs/sha256", origin); err != nil {
		return err
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, p := range platforms {
		d, err := l.addVolumeImage(l.images.of(v.Image, p), lower, origin)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(index.Manifests, func(x v1.Descriptor) bool { return x.Digest == d.Digest }) {
			index.Manifests = append(index.Manifests, d)
		}
	}
	data, err := json.MarshalIndent(index, "", "   ")
	if err != nil {
		return err
	}
	return errors.Join(
		l.putFile(lower+"/index.json", tree.Text(string(data)), origin),
		l.putFile(lower+"/oci-layout", tree.Text(ociLayout), origin),
	)
}

const ociLayout = "{\n   \"imageLayoutVersion\": \"1.0.0\"\n}"

func (l *layout) addVolumeImage(img *oci.Image, lower string, origin *tree.Origin) (v1.Descriptor, error) {
	d := img.Descriptor()
	parts, err := img.Parts()
	if err != nil {
		return d, err
	}
	for _, p := range parts {
		if p.Digest == d.Digest {
			d.Size = p.Size
		}
		content := &tree.Inode{Size: p.Size, Data: p}
		if err := l.putFile(lower+"/blobs/sha256/"+p.Digest.Hex, content, origin); err != nil {
			return d, err
		}
	}
	return d, nil
}
