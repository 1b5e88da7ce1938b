package lock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/signature"
)

// Finder finds the images that a lock file says, and notes what was found.
type Finder struct {
	*oci.Finder
	// Path is that of the lock file, for messages.
	Path string
	// Machine is the platform of what is built.
	Machine v1.Platform
	// Images are the digests by Key; nil if there is no lock file.
	Images map[string]string
	// Add takes images that are not locked; else they are an error where there is a
	// lock file.
	Add bool
	// Keys are all asked of each image: one of each has to have signed it.
	Keys []signature.Keys

	lock  sync.Mutex
	found map[string]string
	moved map[string]string
}

// Get finds an image by the digest that is locked.
func (f *Finder) Get(ctx context.Context, name string, platform v1.Platform) (*oci.Image, error) {
	key := Key(name, platform.String(), f.Machine.String())
	pin := f.Images[key]
	if pin == "" && f.Images != nil && !f.Add {
		return nil, fmt.Errorf("%s is not in %s for %s: `slipway build --lock` adds it", key, f.Path, f.Machine)
	}
	img, err := f.get(ctx, name, pin, platform)
	if err != nil {
		return nil, err
	}
	if err := f.verify(ctx, name, img); err != nil {
		return nil, errors.Join(err, img.Close())
	}
	id := img.ID()
	switch {
	case pin != "" && !img.Is(pin):
		return nil, errors.Join(fmt.Errorf("%s has the digest %s, and %s locks it to %s", key, id, f.Path, pin), img.Close())
	case pin != "":
		f.note(key, pin, f.now(ctx, name, pin, platform))
	default:
		f.note(key, id.String(), "")
	}
	return img, nil
}

// verify finds signatures of what was found: of its digests, by which all that is read of
// it is checked, and not of what its name means in another moment.
func (f *Finder) verify(ctx context.Context, name string, img *oci.Image) error {
	for _, keys := range f.Keys {
		digests := img.Digests()
		if len(digests) == 0 {
			return fmt.Errorf("image %s is not signed by %s: docker save leaves nothing that could be", name, keys)
		}
		err := f.Finder.Verify(ctx, name, digests, func(s oci.Signature) error {
			if s.Signature == "" {
				return keys.CheckBundle(s.Text, digests, f.Known(name))
			}
			return keys.Check(s.Text, s.Signature, digests, f.Known(name))
		})
		if err != nil {
			return fmt.Errorf("image %s (%s) has no signature by %s: %w", name, img.ID(), keys, err)
		}
	}
	return nil
}

func (f *Finder) get(ctx context.Context, name, pin string, platform v1.Platform) (*oci.Image, error) {
	if pin == "" {
		return f.Finder.Get(ctx, name, platform)
	}
	// What a digest means does not change: no registry is asked for what is here.
	exact := *f.Finder
	exact.Pull = false
	img, err := exact.Get(ctx, oci.Pinned(name, pin), platform)
	if err != nil {
		return nil, fmt.Errorf("%s locks %s to %s: %w", f.Path, name, pin, err)
	}
	if !strings.Contains(name, "@") {
		// What is built tells of the same image under the same name, locked or not.
		img.Name = oci.FullName(strings.TrimSuffix(img.Name, "@"+pin))
	}
	return img, nil
}

// now is the digest that an image has by its name; "" if it is the locked one or
// nobody here knows. With Pull the registry is asked.
func (f *Finder) now(ctx context.Context, name, pin string, platform v1.Platform) string {
	if f.Pull && f.Remote != nil {
		if digests, err := f.Finder.Resolve(ctx, name, platform); err == nil {
			if slices.Contains(digests, pin) {
				return ""
			}
			return digests[0]
		}
	}
	local := *f.Finder
	local.Pull, local.Remote = false, nil
	img, err := local.Get(ctx, name, platform)
	if err != nil || img.Is(pin) {
		return ""
	}
	// Nothing of it was opened.
	return img.ID().String()
}

func (f *Finder) note(key, digest, moved string) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.found == nil {
		f.found, f.moved = map[string]string{}, map[string]string{}
	}
	f.found[key] = digest
	if moved != "" {
		f.moved[key] = moved
	}
}

// Found are the digests of all images that were found, by Key.
func (f *Finder) Found() map[string]string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return maps.Clone(f.found)
}

// Moved are those whose name means another digest now, by Key.
func (f *Finder) Moved() map[string]string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return maps.Clone(f.moved)
}
