package build

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// Finder finds an image by the name it has in the YAML.
type Finder interface {
	Get(ctx context.Context, name string, platform v1.Platform) (*oci.Image, error)
}

// images are the images of a configuration by full name, found once each.
type images struct {
	found map[string]*oci.Image
	trees map[string]*tree.Tree
}

// mention is an image named somewhere in the YAML.
type mention struct {
	name string
	at   yml.Place
}

func mentions(c *yml.Config) []mention {
	var all []mention
	if c.Kernel.Image != "" {
		all = append(all, mention{c.Kernel.Image, c.Kernel.At.Child("image")})
	}
	for i, name := range c.Init {
		all = append(all, mention{name, c.InitAt[i]})
	}
	for _, v := range c.Volumes {
		if v.Image != "" {
			all = append(all, mention{v.Image, v.At.Child("image")})
		}
	}
	for _, x := range c.Containers() {
		all = append(all, mention{x.Image, x.At.Child("image")})
	}
	return all
}

// searches is how many images are looked for side by side.
const searches = 4

// findImages gets every image of the configuration. An image that is nowhere
// is a fault at each place that names it.
func findImages(ctx context.Context, c *yml.Config, finder Finder, platform v1.Platform) (*images, error) {
	set := &images{found: map[string]*oci.Image{}, trees: map[string]*tree.Tree{}}
	failed := map[string]error{}
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(searches)
	asked := map[string]bool{}
	for _, m := range mentions(c) {
		name := oci.FullName(m.name)
		if asked[name] {
			continue
		}
		asked[name] = true
		group.Go(func() error {
			img, err := finder.Get(ctx, name, platform)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failed[name] = err
				return nil
			}
			set.found[name] = img
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, set.close())
	}
	var faults yml.Faults
	for _, m := range mentions(c) {
		if err := failed[oci.FullName(m.name)]; err != nil {
			faults.Add(m.at.At("%v", err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults.Err(), set.close())
	}
	return set, nil
}

func (s *images) get(name string) *oci.Image { return s.found[oci.FullName(name)] }

// tree lays an image's layers over each other, once for all who use it.
func (s *images) tree(name string) (*tree.Tree, error) {
	full := oci.FullName(name)
	if t := s.trees[full]; t != nil {
		return t, nil
	}
	img := s.found[full]
	if img == nil {
		return nil, fmt.Errorf("image %s: %w", full, oci.ErrNotFound)
	}
	t, err := img.Tree(tree.DefaultLimits)
	if err != nil {
		return nil, err
	}
	s.trees[full] = t
	return t, nil
}

func (s *images) close() error {
	var errs []error
	for _, img := range s.found {
		errs = append(errs, img.Close())
	}
	return errors.Join(errs...)
}
