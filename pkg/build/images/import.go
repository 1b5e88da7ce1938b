package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
)

// imported stands for the inputs of an image that was made elsewhere: it is no
// recipe's, so that a build makes it anew.
const imported = "imported"

// Import copies our own images from an OCI layout, a directory or a tar as Export writes
// it, into the store, for all architectures it has. It returns their names.
func (b *Builder) Import(ctx context.Context, path string) ([]string, error) {
	names, err := b.importFrom(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("import images from %s: %w", path, err)
	}
	return names, nil
}

func (b *Builder) importFrom(ctx context.Context, path string) ([]string, error) {
	source, err := oci.OpenSource(path)
	if err != nil {
		return nil, err
	}
	items, err := source.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, item := range items {
		name, own := strings.CutPrefix(item.Name, "docker.io/"+Repository)
		if !own || item.Annotations[oci.FetchedAnnotation] != "" {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		platform := v1.Platform{OS: "linux", Architecture: b.Arch}
		if item.Platform != nil {
			platform = *item.Platform
		}
		img, err := source.Get(Repository+name, platform)
		if err != nil {
			return nil, err
		}
		b.Progress.Note("storing " + Repository + name + " for " + platform.String())
		if err := b.store.layout.Take(img, map[string]string{annotationInputs: imported}); err != nil {
			return nil, err
		}
		names = append(names, Repository+name)
	}
	if len(names) == 0 {
		return nil, errors.New("none of " + Repository + " is in it")
	}
	return names, nil
}
