package supervisor

import (
	"path/filepath"

	"slipway/pkg/bundle"
	"slipway/pkg/service/guest"
)

// Try reads what a supervisor reads when it takes over, changes nothing, and
// tells how many services there are. A bundle that cannot be read is a fault of
// the bundle; a record that cannot be read would lose a running container.
func Try(p guest.Paths) (services int, err error) {
	names, err := bundle.List(p.Section(bundle.Services))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if _, err := bundle.Load(bundle.Services, filepath.Join(p.Section(bundle.Services), name)); err != nil {
			continue
		}
		services++
	}
	_, err = (&stateFiles{dir: p.RunDir("services")}).load()
	return services, err
}
