package container

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runtime"
	"slipway/pkg/machine"

	"golang.org/x/sys/unix"
)

// dir is where the Engine keeps what it knows of a container: the runtime's pid file
// and log, which runtime it is, and a config.json that differs from the bundle's. It exists from
// before the first step of a start until after the last of the clean-up.
func (e *Engine) dir(b *bundle.Bundle) string {
	return path.Join(e.runDir(), "containers", string(b.Section)+"."+b.Name)
}

// ledger is the file that remembers lasting mounts. It outlives the container.
func (e *Engine) ledger(b *bundle.Bundle) string {
	return path.Join(e.runDir(), "mounts", string(b.Section)+"."+b.Name)
}

func (e *Engine) runDir() string { return cmp.Or(e.RunDir, machine.Run) }

// recorded is the runtime of a container that was started earlier; of one whose record
// was lost, the one that knows it.
func (e *Engine) recorded(b *bundle.Bundle) *runtime.Runtime { return e.RuntimeOf(b.Section, b.Name) }

// RuntimeOf is the runtime that a container was started with.
func (e *Engine) RuntimeOf(s bundle.Section, name string) *runtime.Runtime {
	dir := e.dir(&bundle.Bundle{Section: s, Name: name})
	if _, err := os.Lstat(dir); err != nil {
		return cmp.Or(e.Runtimes.Holder(name), e.Runtimes.Runtimes[0])
	}
	oci, err := e.Runtimes.Recorded(dir)
	if err != nil {
		e.logger(&bundle.Bundle{Section: s, Name: name}).Warn("read the record", "err", err)
	}
	return oci
}

// Files of the record that say whose the container's cgroup is, when it was
// there before the start.
const (
	keepCgroup    = "keep-cgroup"    // it stays, but what runs in it is ours
	foreignCgroup = "foreign-cgroup" // what runs in it is not ours
)

func (e *Engine) marked(b *bundle.Bundle, mark string) bool {
	_, err := os.Lstat(path.Join(e.dir(b), mark))
	return err == nil
}

// group is the group of a container that was started earlier, by what the
// runtime was given then, which an engine of another time may have decided.
func (e *Engine) group(b *bundle.Bundle) (cgroup.Group, error) {
	file := path.Join(e.dir(b), bundle.ConfigFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return cgroup.Of(cgroupsPath(b.Spec), b.Name)
	}
	var spec struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		// It was killed while it wrote, and nothing was started.
		return cgroup.Group{}, fmt.Errorf("%s: %w", file, err)
	}
	return cgroup.Of(spec.Linux.CgroupsPath, b.Name)
}

// removeRecord removes the record, whose files have no directories among them. The
// runtime may have left one more than we know of, if it was killed.
func removeRecord(dir string) error { return discard(dir, removeFiles) }

// discard removes a directory, and first what a runtime that was killed has left mounted
// in it, if it has.
func discard(dir string, remove func(dir string) error) error {
	err := remove(dir)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := mount.Clear(dir); err != nil {
		return err
	}
	return remove(dir)
}

func removeFiles(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		err = errors.Join(err, os.Remove(path.Join(dir, f.Name())))
	}
	return errors.Join(err, os.Remove(dir))
}
