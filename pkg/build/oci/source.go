package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Source is a place to take images from.
type Source interface {
	// Get finds an image; the error is ErrNotFound if it is not there.
	Get(name string, platform v1.Platform) (*Image, error)
	// List names the images that are there.
	List() ([]Item, error)
}

// OpenSource opens what --oci names: an OCI layout in a folder or in a tar, or
// a tar made by "docker save".
func OpenSource(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open image layout: %w", err)
	}
	if !info.IsDir() {
		return openArchive(path)
	}
	if _, err := os.Stat(path + "/index.json"); err != nil {
		return nil, fmt.Errorf("open image layout %s: no index.json in it", path)
	}
	return OpenLayout(path, false), nil
}

// Finder looks for images in one source after the other, last in a registry.
type Finder struct {
	Layouts []Source  // as named on the command line
	Store   *Layout   // the local store
	Remote  *Registry // nil: no network
	// Pull asks the registry even for what the store has, unless it was built
	// on this machine.
	Pull bool
}

// Get finds an image in the first source that has it.
func (f *Finder) Get(ctx context.Context, name string, platform v1.Platform) (*Image, error) {
	ask := f.Pull && f.Remote != nil
	var misses []error
	for _, s := range append(f.Layouts[:len(f.Layouts):len(f.Layouts)], f.Store) {
		img, err := s.Get(name, platform)
		if err == nil && (!ask || s != f.Store || img.Local) {
			return img, nil
		}
		if err == nil {
			break // in the store, but the registry may have a newer one
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		misses = append(misses, err)
	}
	if f.Remote == nil {
		return nil, reason(name, misses)
	}
	if err := f.Remote.Fetch(ctx, name, platform, f.Store); err != nil {
		return nil, err
	}
	return f.Store.Get(name, platform)
}

// reason prefers what says more than "not found".
func reason(name string, misses []error) error {
	for _, m := range misses {
		if !strings.HasSuffix(m.Error(), ErrNotFound.Error()) {
			return m
		}
	}
	return fmt.Errorf("image %s: %w in the layouts given and the local store, and registries were not asked", FullName(name), ErrNotFound)
}

// Names lists the images of all sources but registries.
func (f *Finder) Names() []string {
	var names []string
	for _, s := range append(f.Layouts[:len(f.Layouts):len(f.Layouts)], f.Store) {
		items, err := s.List()
		if err != nil {
			continue // Get has told
		}
		for _, item := range items {
			names = append(names, item.Name)
		}
	}
	return names
}
