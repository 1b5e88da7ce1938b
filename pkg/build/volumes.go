package build

import (
	"errors"
	"fmt"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// addVolumes makes /containers/volumes/NAME with lower, tmp and merged, which
// the boot overlays.
func (l *layout) addVolumes() error {
	for i, v := range l.config.Volumes {
		if err := l.addVolume(v, &tree.Origin{Image: v.Image, Location: fmt.Sprintf("volumes[%d]", i)}); err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	return nil
}

func (l *layout) addVolume(v *yml.Volume, origin *tree.Origin) error {
	lower := volumePath(v.Name, "lower")
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
		image, err := l.images.tree(v.Image)
		if err != nil {
			return err
		}
		if err := l.graft(lower, image, origin, resolvLink); err != nil {
			return err
		}
	}
	return errors.Join(
		l.root.MkdirAll(volumePath(v.Name, "tmp"), origin),
		l.root.MkdirAll(volumePath(v.Name, "merged"), origin),
	)
}

func (l *layout) addVolumeLayout(v *yml.Volume, lower string, origin *tree.Origin) error {
	return errors.New("format oci is not known yet")
}
