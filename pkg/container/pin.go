package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"

	"slipway/pkg/container/mount"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// bindsDir, of a container's record, has the sources of binds that containers could
// swap while the OCI runtime looks for them by their names.
const bindsDir = "binds"

// pin has the runtime bind what was looked at here: a source that a container can change
// is bound beside the record, and the spec names that in its place. All other sources the
// runtime finds by their names.
func (s *starting) pin() error {
	var pinned bool
	mounts := slices.Clone(s.spec.Mounts)
	for i, m := range mounts {
		if bind, _ := isBind(m); !bind {
			continue
		}
		at, err := s.pinned(i, m)
		if err != nil {
			return fmt.Errorf("bind %s on %s: %w", m.Source, m.Destination, err)
		}
		if at != "" {
			pinned, mounts[i].Source = true, at
		}
	}
	if !pinned {
		return nil
	}
	spec := *s.spec
	spec.Mounts = mounts
	s.spec = &spec
	return s.write()
}

// pinned gives what to bind in the place of a source; "": the source.
func (s *starting) pinned(i int, m specs.Mount) (at string, err error) {
	found, err := s.reach.Open(m.Source)
	if errors.Is(err, unix.ENOENT) && !found.Loose {
		return "", nil // the runtime says so
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	if !found.Loose {
		return "", nil
	}
	at = path.Join(s.e.dir(s.b), bindsDir, strconv.Itoa(i))
	if err := makeLike(found, at); err != nil {
		return "", err
	}
	call := mount.Mount{Source: m.Source, Target: at, Flags: unix.MS_BIND}
	if _, deep := isBind(m); deep {
		call.Flags |= unix.MS_REC
	}
	return at, call.DoAt(found.Proc(), at, nil)
}

// makeLike makes what something can be bound on.
func makeLike(found mount.Found, at string) error {
	if err := os.MkdirAll(path.Dir(at), 0o700); err != nil {
		return err
	}
	isDir, err := found.IsDir()
	if err != nil {
		return err
	}
	if isDir {
		return os.Mkdir(at, 0o700)
	}
	return os.WriteFile(at, nil, 0o600)
}

// unpin takes away what pin has made. The container has binds of its own by then, which
// go on being copies of the sources.
func unpin(record string) error {
	dir := path.Join(record, bindsDir)
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := mount.Withdraw(dir); err != nil {
		return err
	}
	return removeFiles(dir)
}
