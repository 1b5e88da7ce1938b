package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/service/host"
)

// added are the services that were added to the machine after its boot, and
// where their bundles lie. It is kept for the next supervisor.
type added map[string]string

func addedFile(p host.Paths) string { return p.Own("added.json") }

func loadAdded(p host.Paths) (added, error) {
	a := added{}
	err := host.ReadJSON(addedFile(p), &a)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return a, err
}

// folders is where the bundle of each service lies.
func (s *Supervisor) folders() (map[string]string, error) {
	section := s.Host.Paths.Section(bundle.Services)
	names, err := bundle.List(section)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for _, name := range names {
		dirs[name] = filepath.Join(section, name)
	}
	s.added, err = loadAdded(s.Host.Paths)
	for name, dir := range s.added {
		dirs[name] = dir
	}
	return dirs, err
}

// finding is where a service lies and what lies there.
type finding struct {
	dir, usual string
	bundle     *bundle.Bundle
}

// locate says where the bundle lies of a service whose start somebody asks for.
// A path is a directory other than the one all services lie in.
func (s *Supervisor) locate(name, path string) (finding, error) {
	f := finding{usual: filepath.Join(s.Host.Paths.Section(bundle.Services), name)}
	f.dir = cmp.Or(s.added[name], f.usual)
	switch known := s.set.Known(name); {
	case path != "":
		rec, _ := s.set.Record(name)
		if now := filepath.Join(path, name); now != f.dir && rec.State.Busy() {
			return f, fmt.Errorf("%s runs from %s; stop it before it is started from %s", name, f.dir, now)
		}
		f.dir = filepath.Join(path, name)
	case known != nil && !s.appeared(name):
		return f, known
	}
	return f, nil
}

// loadTime is how long a disk may take to give a bundle.
const loadTime = 5 * time.Second

// loadWithin reads a bundle, but not for ever.
func loadWithin(ctx context.Context, dir string) (*bundle.Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	type result struct {
		b   *bundle.Bundle
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := bundle.Load(bundle.Services, dir)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: its disk does not answer: %w", dir, ctx.Err())
	}
}

// learn takes what was found for what a service is: what lies there now is what
// is started.
func (s *Supervisor) learn(name string, f finding) error {
	if err := s.note(name, f.dir, f.usual); err != nil {
		return err
	}
	s.bundles[name] = f.bundle
	s.set.Learn(map[string]bundle.Policy{name: f.bundle.Policy}, nil)
	if f.bundle.Policy.Watchdog && s.dog == nil {
		s.dog = s.startWatchdog()
	}
	return nil
}

// appeared tells whether a name that is not known has a folder by now.
func (s *Supervisor) appeared(name string) bool {
	names, err := bundle.List(s.Host.Paths.Section(bundle.Services))
	return err == nil && slices.Contains(names, name)
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
	return host.WriteJSON(addedFile(s.Host.Paths), s.added)
}
