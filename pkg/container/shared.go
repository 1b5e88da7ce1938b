package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/rootfs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sharedFile, of a container's record, says where mounts go from it to the machine.
const sharedFile = "shared"

// shared is where mounts cross between a container and the machine.
type shared struct {
	// Gives are directories of the machine in which its mounts appear.
	Gives []string `json:"gives,omitempty"`
	// Takes are those whose mounts appear in it.
	Takes []string `json:"takes,omitempty"`
	// Before is what was mounted in Gives before the start.
	Before []mount.Entry `json:"before,omitempty"`
}

// propagation tells which binds of a container let mounts through, by their options.
func propagation(spec *specs.Spec) (s shared) {
	for _, m := range spec.Mounts {
		has := func(o string) bool { return slices.Contains(m.Options, o) }
		gives := has("shared") || has("rshared")
		if !gives && !has("slave") && !has("rslave") {
			continue
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			continue // not a path; or the runtime is going to say so
		}
		s.Takes = append(s.Takes, source)
		if gives {
			s.Gives = append(s.Gives, source)
		}
	}
	return s
}

// noteShared keeps that in the record, for the container's end and for others'.
func (e *Engine) noteShared(b *bundle.Bundle, spec *specs.Spec) error {
	s := propagation(spec)
	if len(s.Takes) == 0 {
		return nil
	}
	table, err := mount.Table()
	if err != nil {
		return fmt.Errorf("note what is mounted in shared directories: %w", err)
	}
	for _, m := range table {
		if s.gives(m.Target) {
			s.Before = append(s.Before, m)
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(e.dir(b), sharedFile), data, 0o600)
}

func (s shared) gives(target string) bool {
	return slices.ContainsFunc(s.Gives, func(dir string) bool { return mount.Below(target, dir) })
}

func (s shared) takes(target string) bool {
	return slices.ContainsFunc(s.Takes, func(dir string) bool { return mount.Below(target, dir) || mount.Below(dir, target) })
}

func readShared(file string) (s shared, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// unshare unmounts what came to lie in a service's shared directories while it ran,
// but for our own mounts and what another container that runs is shown. Onboot
// steps mount for others. What is in use stays, and is told.
func (e *Engine) unshare(b *bundle.Bundle) {
	if b.Section != bundle.Services {
		return
	}
	s, err := readShared(filepath.Join(e.dir(b), sharedFile))
	if err == nil && len(s.Gives) > 0 {
		err = mount.Release(func(m mount.Entry) bool {
			return s.gives(m.Target) && !s.had(m)
		}, e.needed(b))
	}
	if err != nil {
		e.logger(b).Warn("mounts in shared directories stay", "err", err)
	}
}

func (s shared) had(m mount.Entry) bool {
	return slices.ContainsFunc(s.Before, func(old mount.Entry) bool {
		return old.ID == m.ID && old.Target == m.Target && old.Dev == m.Dev
	})
}

// needed tells of a mount whether it is ours, or shown to another container.
func (e *Engine) needed(b *bundle.Bundle) func(mount.Entry) bool {
	var others shared
	records, err := filepath.Glob(filepath.Join(e.runDir(), "containers", "*"))
	for _, dir := range records {
		if dir != e.dir(b) {
			s, readErr := readShared(filepath.Join(dir, sharedFile))
			others.Takes = append(others.Takes, s.Takes...)
			err = errors.Join(err, readErr)
		}
	}
	ours := []string{e.runDir(), filepath.Dir(filepath.Dir(b.Dir))}
	if self, err := os.Executable(); err == nil {
		ours = append(ours, self) // an upgrade is mounted there
	}
	ledgers, globErr := filepath.Glob(filepath.Join(e.runDir(), "mounts", "*"))
	err = errors.Join(err, globErr)
	for _, file := range ledgers {
		l, openErr := rootfs.OpenLedger(file)
		err = errors.Join(err, openErr)
		ours = append(ours, l.Targets()...)
	}
	return func(m mount.Entry) bool {
		return err != nil || others.takes(m.Target) ||
			slices.ContainsFunc(ours, func(dir string) bool { return mount.Below(m.Target, dir) })
	}
}
