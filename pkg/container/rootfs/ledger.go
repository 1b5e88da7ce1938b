package rootfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"slipway/pkg/container/mount"
)

// Ledger remembers, in a file, the lasting mounts that starts of one container
// have made: target and mount id. A nil Ledger remembers nothing.
type Ledger struct {
	file   string
	mounts map[string]uint64
}

// OpenLedger reads the ledger; a file that is missing is an empty one, and it
// is written only when there is something to remember.
func OpenLedger(file string) (*Ledger, error) {
	l := &Ledger{file: file, mounts: map[string]uint64{}}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &l.mounts); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// Targets are where the mounts lie that it remembers.
func (l *Ledger) Targets() []string {
	if l == nil {
		return nil
	}
	return slices.Collect(maps.Keys(l.mounts))
}

// holds tells whether the mount on top of target is one that is remembered.
func (l *Ledger) holds(target string) bool {
	if l == nil || l.mounts[target] == 0 {
		return false
	}
	id, err := mount.ID(target)
	return err == nil && id == l.mounts[target]
}

func (l *Ledger) add(target string) error {
	if l == nil {
		return nil
	}
	id, err := mount.ID(target)
	if err != nil {
		return err
	}
	l.mounts[target] = id
	return l.save()
}

func (l *Ledger) drop(target string) error {
	if l == nil || l.mounts[target] == 0 {
		return nil
	}
	delete(l.mounts, target)
	return l.save()
}

// save replaces the file whole. It lies on a tmpfs and is of no use after a
// crash of the machine, so it is not synced.
func (l *Ledger) save() error {
	data, err := json.Marshal(l.mounts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.file), 0o700); err != nil {
		return err
	}
	temp := l.file + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, l.file)
}
