package build

import (
	"context"
	"fmt"

	"slipway/pkg/build/disk"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
)

// Stub finds systemd's EFI stub; it is closed with the machine.
func (m *Machine) Stub(ctx context.Context, b *Builder) (*tree.Inode, error) {
	img, err := b.Finder.Get(ctx, disk.StubImage, b.Platform)
	if err != nil {
		return nil, fmt.Errorf("find EFI stub: %w", err)
	}
	m.images.found[want{oci.Key(disk.StubImage), b.Platform.String()}] = img
	t, err := m.images.Tree(ctx, disk.StubImage)
	if err != nil {
		return nil, fmt.Errorf("find EFI stub: %w", err)
	}
	n := t.Resolve(disk.StubFile)
	if n == nil || n.Inode == nil {
		return nil, fmt.Errorf("find EFI stub: image %s has no file %s", disk.StubImage, disk.StubFile)
	}
	return n.Inode, nil
}
