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

// OpenSource opens what --oci names: an OCI layout in a directory or in a tar, or
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

// located is a source that can be told by its place, and whose one image can be
// had without a name.
type located interface {
	Source
	where() string
	single(v1.Platform) (*Image, error)
}

// OpenNamed opens what --oci names as PATH, or as NAME=PATH for the one image
// there.
func OpenNamed(text string) (Source, error) {
	name, path, ok := strings.Cut(text, "=")
	if _, err := os.Stat(text); err == nil || !ok || name == "" {
		return OpenSource(text)
	}
	source, err := OpenSource(path)
	if err != nil {
		return nil, err
	}
	return namedSource{source.(located), FullName(name)}, nil
}

// namedSource gives a name to the one image of a source.
type namedSource struct {
	located
	name string
}

func (n namedSource) Get(name string, platform v1.Platform) (*Image, error) {
	if FullName(name) != n.name {
		return n.located.Get(name, platform)
	}
	img, err := n.single(platform)
	if err != nil {
		return nil, fmt.Errorf("image %s in %s: %w", n.name, n.where(), err)
	}
	img.Name = n.name
	return img, nil
}

// List names the image, too.
func (n namedSource) List() ([]Item, error) {
	items, err := n.located.List()
	if len(items) == 1 {
		items[0].Name = n.name
	}
	return items, err
}

// single is the image of an index that holds no other: one digest, by whatever names,
// or one name at most and for each platform one digest.
func single(from blobs, index *v1.IndexManifest, platform v1.Platform) (*Image, error) {
	var list []v1.Descriptor
	names, all, digests := map[string]bool{}, map[v1.Hash]bool{}, map[string]v1.Hash{}
	several := false
	for _, d := range index.Manifests {
		if isAttestation(d) {
			continue
		}
		list = append(list, d)
		names[refOf(d)], all[d.Digest] = true, true
		key := ""
		if !unspecified(d.Platform) {
			key = describe(*d.Platform)
		}
		if other, ok := digests[key]; ok && other != d.Digest {
			several = true
		}
		digests[key] = d.Digest
	}
	if several || len(names) > 1 && len(all) > 1 {
		return nil, fmt.Errorf("several images, of which a name with a digest (NAME@sha256:...) means one: %s", contents(itemsOf(index)))
	}
	return load(from, list, platform)
}

// maxListed is how many images a message names.
const maxListed = 8

// contents lists images for a message.
func contents(items []Item) string {
	var all []string
	for i, item := range items {
		if i == maxListed {
			all = append(all, fmt.Sprintf("and %d more", len(items)-i))
			break
		}
		all = append(all, item.String())
	}
	if len(all) == 0 {
		return "no image"
	}
	return strings.Join(all, ", ")
}

// Finder looks for images in one source after the other, last in a registry.
type Finder struct {
	Layouts []Source  // as named on the command line
	Store   *Layout   // the local store
	Remote  *Registry // nil: no network
	// Pull asks the registry even for what the store has, unless it was built
	// on this machine.
	Pull bool
	// Rename says under which name to look for what the YAML names.
	Rename Renames
}

// Get finds an image in the first source that has it. Our own images (slipway/NAME
// with no registry before it) are built on this machine, as are those of localhost/: who
// asks a public registry for them gets somebody else's.
func (f *Finder) Get(ctx context.Context, name string, platform v1.Platform) (*Image, error) {
	renamed := f.Rename.apply(name)
	img, err := f.get(ctx, renamed, platform)
	if err != nil && renamed != name {
		return nil, fmt.Errorf("%s, renamed: %w", name, err)
	}
	return img, err
}

func (f *Finder) get(ctx context.Context, name string, platform v1.Platform) (*Image, error) {
	how := howMade(name, platform)
	ask := f.Pull && f.Remote != nil && how == ""
	var misses []error
	for _, s := range append(f.Layouts[:len(f.Layouts):len(f.Layouts)], f.Store) {
		img, err := s.Get(name, platform)
		if err == nil && (!ask || s != f.Store || img.Local) {
			return img, nil
		}
		if err == nil {
			break // in the store, but the registry may have a newer one
		}
		if errors.Is(err, ErrNoStore) {
			return nil, f.holdings(fmt.Errorf("image %s: %w in the layouts given, and %w", FullName(name), ErrNotFound, err))
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		misses = append(misses, err)
	}
	if how != "" {
		return nil, f.holdings(fmt.Errorf("%w: %s", reason(name, misses), how))
	}
	if f.Remote == nil {
		return nil, f.holdings(reason(name, misses))
	}
	if err := f.Remote.Fetch(ctx, name, platform, f.Store); err != nil {
		return nil, f.holdings(err)
	}
	return f.Store.Get(name, platform)
}

// Resolve asks the registry which digests a name means now: of the outermost index
// first, of the image for the platform last. Our own images are in none.
func (f *Finder) Resolve(ctx context.Context, name string, platform v1.Platform) ([]string, error) {
	name = f.Rename.apply(name)
	if hasNoRegistry(name) || f.Remote == nil {
		return nil, fmt.Errorf("image %s: %w: no registry is asked", FullName(name), ErrNotFound)
	}
	return f.Remote.resolve(ctx, name, platform)
}

// holdings adds to an error what the layouts hold that were named.
func (f *Finder) holdings(err error) error {
	for _, s := range f.Layouts {
		l, ok := s.(located)
		if !ok {
			continue
		}
		if items, listErr := l.List(); listErr == nil {
			hint := ""
			if len(items) == 1 {
				hint = fmt.Sprintf(" (--oci NAME=%s gives it a name)", l.where())
			}
			err = fmt.Errorf("%w; %s holds %s%s", err, l.where(), contents(items), hint)
		}
	}
	return err
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
			if item.Name != "" {
				names = append(names, item.Name)
			}
		}
	}
	return names
}
