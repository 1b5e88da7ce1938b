package host

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
)

// PID 1 takes these signals for the end of the machine: ours, and busybox's.
var verbs = map[bundle.OnFailure]unix.Signal{
	bundle.Reboot:   unix.SIGTERM,
	bundle.Poweroff: unix.SIGUSR2,
}

// End asks PID 1 for a reboot or to power off. It returns at once.
func End(verb bundle.OnFailure) error {
	if err := unix.Kill(1, verbs[verb]); err != nil {
		return fmt.Errorf("ask PID 1 for %s: %w", verb, err)
	}
	return nil
}

// OwnInit tells whether PID 1 is our init, which knows how to stop a boot.
func OwnInit() bool {
	exe, err := os.Readlink("/proc/1/exe")
	return err == nil && filepath.Base(exe) == "init"
}
