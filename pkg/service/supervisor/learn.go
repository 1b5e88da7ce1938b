package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
)

// added are the services that were added to the machine after its boot, and
// where their bundles lie. It is kept for the next supervisor.
type added map[string]string

func addedFile(p guest.Paths) string { return p.RunDir("added.json") }

func loadAdded(p guest.Paths) (added, error) {
	a := added{}
	err := machine.ReadJSON(addedFile(p), &a)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return a, err
}

// directories is where the bundle of each service lies.
func (s *Supervisor) directories() (map[string]string, error) {
	section := s.Guest.Paths.Section(bundle.Services)
	names, err := bundle.List(section)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for _, name := range names {
		dirs[name] = filepath.Join(section, name)
	}
	s.added, err = loadAdded(s.Guest.Paths)
	maps.Copy(dirs, s.added)
	return dirs, err
}

// learn reads a service's bundle again, or for the first time, because somebody
// asks for its start: what lies there now is what is started. A path is a directory
// other than the one all services lie in, and perhaps on a disk that hangs: it is
// read beside the loop, and as long as ctx lasts.
func (s *Supervisor) learn(ctx context.Context, name, path string) error {
	if err := bundle.CheckName(name); err != nil {
		return err
	}
	var dir string
	appeared, err := s.appeared(ctx, name)
	if err != nil {
		return err
	}
	if err := s.try(ctx, func() (err error) { dir, err = s.where(name, path, appeared); return err }); err != nil {
		return err
	}
	b, err := s.read(ctx, dir)
	if err != nil {
		return err
	}
	return s.try(ctx, func() error {
		if _, err := s.where(name, path, appeared); err != nil { // others may have asked meanwhile
			return err
		}
		return s.adopt(name, dir, b)
	})
}

// where says in which directory a service's bundle is to be looked for.
func (s *Supervisor) where(name, path string, appeared bool) (dir string, err error) {
	dir = cmp.Or(s.added[name], s.usual(name))
	switch known := s.set.Known(name); {
	case path != "":
		rec, _ := s.set.Record(name)
		if now := filepath.Join(path, name); now != dir && rec.State.Busy() {
			return "", fmt.Errorf("%s runs from %s; stop it before it is started from %s", name, dir, now)
		}
		return filepath.Join(path, name), nil
	case known != nil && !appeared:
		return "", known
	}
	return dir, nil
}

func (s *Supervisor) usual(name string) string {
	return filepath.Join(s.Guest.Paths.Section(bundle.Services), name)
}

// mostReads bounds how many bundles are being read at a time: each that hangs
// keeps a thread.
const mostReads = 4

func (s *Supervisor) read(ctx context.Context, dir string) (*bundle.Bundle, error) {
	return within(ctx, s.reads, dir, func() (*bundle.Bundle, error) { return bundle.Load(bundle.Services, dir) })
}

// within reads what lies in dir, beside whoever asks, and gives up when ctx ends.
func within[T any](ctx context.Context, reads chan struct{}, dir string, read func() (T, error)) (found T, err error) {
	select {
	case reads <- struct{}{}:
	case <-ctx.Done():
		return found, control.Unheard{Err: fmt.Errorf("read %s: others are being read: %w", dir, context.Cause(ctx))}
	}
	type result struct {
		found T
		err   error
	}
	over := make(chan result, 1)
	go func() {
		found, err := read()
		<-reads
		over <- result{found, err}
	}()
	select {
	case r := <-over:
		return r.found, r.err
	case <-ctx.Done():
		return found, control.Unheard{Err: fmt.Errorf("read %s: %w", dir, context.Cause(ctx))}
	}
}

// loadTime is how long a disk may take to give a bundle when the supervisor begins.
const loadTime = 5 * time.Second

func (s *Supervisor) readWithin(limit time.Duration, dir string) (*bundle.Bundle, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	return s.read(ctx, dir)
}

// adopt takes a bundle for a service's.
func (s *Supervisor) adopt(name, dir string, b *bundle.Bundle) error {
	if err := s.note(name, dir, s.usual(name)); err != nil {
		return err
	}
	s.bundles[name] = b
	s.set.Learn(map[string]bundle.Policy{name: b.Policy}, nil)
	s.tellLimit()
	if b.Policy.Watchdog && s.dog == nil {
		s.dog = s.startWatchdog()
	}
	return nil
}

// appeared tells whether a name, which may not be known, has a directory by now.
func (s *Supervisor) appeared(ctx context.Context, name string) (bool, error) {
	dir := s.Guest.Paths.Section(bundle.Services)
	names, err := within(ctx, s.reads, dir, func() ([]string, error) { return bundle.List(dir) })
	return slices.Contains(names, name), err
}

// note keeps where a service lies, if that is not where all do.
func (s *Supervisor) note(name, dir, usual string) error {
	was := cmp.Or(s.added[name], usual)
	switch {
	case was == dir:
		return nil
	case dir == usual:
		delete(s.added, name)
	default:
		s.added[name] = dir
	}
	return machine.WriteJSON(addedFile(s.Guest.Paths), s.added)
}
