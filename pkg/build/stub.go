package build

import (
	"context"
	"fmt"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
)

// Where the EFI stub of machines that boot by themselves comes from.
const (
	stubImage = "slipway/efi-stub:v0.1"
	stubFile  = "linux.efi.stub"
)

// Stub finds systemd's EFI stub; it is closed with the machine.
func (m *Machine) Stub(ctx context.Context, b *Builder) (*tree.Inode, error) {
	img, err := b.Finder.Get(ctx, stubImage, b.Platform)
	if err != nil {
		return nil, fmt.Errorf("find EFI stub: %w", err)
	}
	m.images.found[want{oci.FullName(stubImage), b.Platform.String()}] = img
	t, err := m.images.tree(ctx, stubImage)
	if err != nil {
		return nil, fmt.Errorf("find EFI stub: %w", err)
	}
	n := t.Resolve(stubFile)
	if n == nil || n.Inode == nil {
		return nil, fmt.Errorf("find EFI stub: image %s has no file %s", stubImage, stubFile)
	}
	return n.Inode, nil
}
