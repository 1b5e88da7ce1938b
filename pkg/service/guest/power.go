package guest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
)

// End asks PID 1 for a reboot or to power off. It returns at once.
func End(verb bundle.OnFailure) error {
	if err := unix.Kill(1, machine.Verb(verb).Signal()); err != nil {
		return fmt.Errorf("ask PID 1 for %s: %w", verb, err)
	}
	return nil
}
