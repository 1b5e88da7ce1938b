package build

import "slipway/pkg/build/yml"

// checkImages finds what only the images can tell.
func (b *Builder) checkImages(c *yml.Config, set *images, containers []*container) error {
	return nil
}
