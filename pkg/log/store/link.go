package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
)

// Link makes /var/log/onboot, or shutdown, point to where the logs of the
// section are. It is made when all of them have run, because one of them may
// have mounted the /var that stays. A directory of that
// name that holds anything stays, and is an error.
func Link(s bundle.Section, p layout.Paths) error {
	p = p.OrDefault()
	target := p.Section(s, "").Dir
	if target == p.Log {
		return nil
	}
	link := filepath.Join(p.Log, filepath.Base(target))
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	if err := os.MkdirAll(p.Log, 0o755); err != nil {
		return fmt.Errorf("link logs: %w", err)
	}
	if info, err := os.Lstat(link); err == nil && info.IsDir() {
		// Only an empty one goes: its logs are somebody's.
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("link logs: %w", err)
		}
	}
	temp := link + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("link logs: %w", err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link logs: %w", err)
	}
	if err := os.Rename(temp, link); err != nil {
		return errors.Join(fmt.Errorf("link logs: %w", err), os.Remove(temp))
	}
	return nil
}
