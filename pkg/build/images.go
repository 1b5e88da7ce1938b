package build

import (
	"context"
	"errors"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// Finder finds an image by the name it has in the YAML.
type Finder interface {
	Get(ctx context.Context, name string, platform v1.Platform) (*oci.Image, error)
}

// images are the images of a configuration, found once each.
type images struct {
	platform v1.Platform
	complete bool // each image has a name that can be looked for
	found    map[want]*oci.Image
	trees    map[string]*tree.Tree
}

// want is an image by its key, for a platform.
type want struct{ name, platform string }

// mention is an image named somewhere in the YAML.
type mention struct {
	name     string
	platform v1.Platform
	at       yml.Position
}

func (m mention) want() want { return want{oci.Key(m.name), m.platform.String()} }

// mentions lists the images the YAML names, unless an image has no name or one that cannot be: complete is
// false then, and package yml tells it.
func mentions(c *yml.Config, platform v1.Platform) (all []mention, complete bool, faults yml.Faults) {
	complete = true
	add := func(name string, p v1.Platform, at yml.Position) {
		if !yml.IsImageName(name) {
			complete = false
			return
		}
		all = append(all, mention{name, p, at})
	}
	if c.Kernel.Image != "" {
		add(c.Kernel.Image, platform, c.Kernel.At.Child("image"))
	}
	for i, name := range c.Init {
		add(name, platform, c.InitAt[i])
	}
	for _, v := range c.Volumes {
		platforms, err := volumePlatforms(v, platform)
		if wrong, is := errors.AsType[yml.Faults](err); is {
			faults.Add(wrong...)
		}
		for _, p := range platforms {
			add(v.Image, p, v.At.Child("image"))
		}
	}
	for _, x := range c.Containers() {
		add(x.Image, platform, x.At.Child("image"))
	}
	return all, complete, faults
}

// volumePlatforms are those of a volume's image: the machine's, unless an OCI
// layout names others.
func volumePlatforms(v *yml.Volume, platform v1.Platform) ([]v1.Platform, error) {
	if v.Image == "" {
		return nil, nil
	}
	if len(v.Platforms) == 0 {
		return []v1.Platform{platform}, nil
	}
	var list []v1.Platform
	for i, text := range v.Platforms {
		p, err := oci.ParsePlatform(text)
		if err != nil {
			return nil, yml.Faults{v.At.Child("platforms").Item(i).At("%v", err)}
		}
		list = append(list, p)
	}
	return list, nil
}

// searches is how many images are looked for side by side.
const searches = 4

// findImages gets every image of the configuration, none without a finder. An
// image that is nowhere is a fault at each place that names it. One for another
// architecture that the machine's CPU has as well was taken as nothing better was there.
func findImages(ctx context.Context, c *yml.Config, finder Finder, platform v1.Platform) (*images, yml.Faults, error) {
	all, complete, faults := mentions(c, platform)
	set := &images{platform: platform, complete: complete, found: map[want]*oci.Image{}, trees: map[string]*tree.Tree{}}
	if finder == nil {
		return set, faults, nil
	}
	failed := set.search(ctx, all, finder)
	if err := ctx.Err(); err != nil {
		return nil, nil, errors.Join(err, set.close())
	}
	for _, m := range all {
		if err := failed[m.want()]; err != nil {
			fault := m.at.At("%v", err)
			if names, ok := finder.(interface{ Names() []string }); ok && !errors.Is(err, context.Canceled) {
				// What is there by that name, and was not taken, is no help.
				if full, all := oci.FullName(m.name), names.Names(); !slices.Contains(all, full) {
					fault = fault.Near(full, all)
				}
			}
			faults.Add(fault)
		}
		if img := set.found[m.want()]; img != nil && oci.OtherArch(img.Platform, m.platform) {
			faults.Add(m.at.At("the image is for %s, and the machine is %s: its programs run only if the kernel takes them", img.Platform, m.platform).Warns())
		}
	}
	return set, faults, nil
}

// search looks for the images side by side and says which were not found.
func (s *images) search(ctx context.Context, all []mention, finder Finder) map[want]error {
	failed := map[want]error{}
	var lock sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, searches)
	asked := map[want]bool{}
	for _, m := range all {
		w := m.want()
		if asked[w] {
			continue
		}
		asked[w] = true
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			img, err := finder.Get(ctx, m.name, m.platform)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failed[w] = err
			} else {
				s.found[w] = img
			}
		})
	}
	group.Wait()
	return failed
}

func (s *images) Get(name string) *oci.Image { return s.of(name, s.platform) }

func (s *images) of(name string, p v1.Platform) *oci.Image {
	return s.found[want{oci.Key(name), p.String()}]
}

// Tree lays an image's layers over each other, once for all who use it.
func (s *images) Tree(ctx context.Context, name string) (*tree.Tree, error) {
	key := oci.Key(name)
	if t := s.trees[key]; t != nil {
		return t, nil
	}
	t, err := s.Get(name).Tree(ctx, tree.DefaultLimits)
	if err != nil {
		return nil, err
	}
	s.trees[key] = t
	return t, nil
}

// Peek is Tree for those who can do without: nil if the image is missing or
// cannot be read, which is told elsewhere.
func (s *images) Peek(ctx context.Context, name string) *tree.Tree {
	if s.Get(name) == nil {
		return nil
	}
	t, err := s.Tree(ctx, name)
	if err != nil {
		return nil
	}
	return t
}

func (s *images) close() error {
	var errs []error
	for _, img := range s.found {
		errs = append(errs, img.Close())
	}
	return errors.Join(errs...)
}
