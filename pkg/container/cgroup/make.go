package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Make is a step that makes a group which runtime.json lists. It lasts, since
// it is made for containers that come later.
type Make struct {
	Name string
	Root string // Root but in tests
}

func (m Make) String() string {
	if unified(m.Root) {
		return "mkdir -p -m 755 " + path.Join(m.Root, path.Clean("/"+m.Name))
	}
	return "mkdir -p -m 755 " + path.Join(m.Root, "*", path.Clean("/"+m.Name))
}

// Lasting is true.
func (m Make) Lasting() bool { return true }

// Apply makes the group, under every controller of v1.
func (m Make) Apply(context.Context, int) (func() error, error) {
	parents := []string{m.Root}
	if !unified(m.Root) {
		names, err := controllers(m.Root)
		if err != nil {
			return nil, err
		}
		parents = nil
		for _, c := range names {
			parents = append(parents, path.Join(m.Root, c))
		}
	}
	var made []string
	undo := func() error { return rmdirs(made) }
	for _, parent := range parents {
		at := parent
		for word := range strings.SplitSeq(strings.TrimPrefix(path.Clean("/"+m.Name), "/"), "/") {
			at = path.Join(at, word)
			err := os.Mkdir(at, 0o755)
			if err == nil {
				made = append(made, at)
			} else if errors.Is(err, os.ErrExist) {
				err = keepNest(at)
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("make cgroup %s: %w", m.Name, err), undo())
			}
		}
	}
	return undo, nil
}

// rmdirs removes groups that are still empty.
func rmdirs(made []string) error {
	var faults []error
	for _, dir := range slices.Backward(made) {
		err := unix.Rmdir(dir)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EBUSY) {
			faults = append(faults, &os.PathError{Op: "remove cgroup", Path: dir, Err: err})
		}
	}
	return errors.Join(faults...)
}
