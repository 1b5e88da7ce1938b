package disk

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/tree"
)

// ContainerDisk is the image that KubeVirt runs as a virtual machine: the disk,
// a qcow2 or raw file, in one layer. The file has to stay while the image is
// used.
func ContainerDisk(disk, arch string) (v1.Image, error) {
	layer, err := newDiskLayer(disk)
	if err != nil {
		return nil, fmt.Errorf("make layer of %s: %w", disk, err)
	}
	made := v1.Time{Time: tree.Epoch}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: made,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, fmt.Errorf("make image of %s: %w", disk, err)
	}
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCIUncompressedLayer,
		History:   v1.History{Created: made, CreatedBy: "slipway build --format containerdisk"},
	})
	if err != nil {
		return nil, fmt.Errorf("make image of %s: %w", disk, err)
	}
	return img, nil
}

// makeContainerDisk writes the image as a tar of an OCI layout.
func makeContainerDisk(ctx context.Context, out string, b Boot) error {
	disk := filepath.Join(filepath.Dir(out), b.Name+".qcow2")
	if err := makeQCOW2(ctx, disk, b); err != nil {
		return err
	}
	img, err := ContainerDisk(disk, b.Arch)
	if err != nil {
		return err
	}
	name := strings.ToLower(b.Name) + ":latest"
	return create(ctx, out, func(m *medium) error { return writeLayout(m, img, name) })
}
