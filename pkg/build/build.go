package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// Builder turns a configuration into a root file system.
type Builder struct {
	Finder    Finder
	Platform  v1.Platform
	Hardening Hardening
	Log       *slog.Logger
}

// labelKey is the image label that holds LinuxKit's settings.
const labelKey = "org.mobyproject.config"

// Machine is what a build makes: the root file system with the kernel in boot/.
type Machine struct {
	Root   *tree.Tree
	images *images
}

// Close gives back the images' files; Root cannot be read afterwards.
func (m *Machine) Close() error { return m.images.close() }

// container is one container with all that its bundle is made of.
type container struct {
	*yml.Container
	folder  string // below bundle.Root, such as "onboot/000-dhcp"
	index   int    // in its section
	spec    *specs.Spec
	runtime bundle.Runtime
}

func (c *container) dir() string { return bundle.Root + "/" + c.folder }

// Build makes the machine. The error is yml.Faults for what is wrong with the
// configuration.
func (b *Builder) Build(ctx context.Context, c *yml.Config) (machine *Machine, err error) {
	set, err := findImages(ctx, c, b.Finder, b.Platform)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, set.close())
		}
	}()
	containers, err := b.translate(c, set)
	if err != nil {
		return nil, err
	}
	if err := b.checkImages(c, set, containers); err != nil {
		return nil, err
	}
	layout := &layout{Builder: b, config: c, images: set, containers: containers, root: tree.New()}
	if err := layout.make(ctx); err != nil {
		return nil, err
	}
	return &Machine{Root: layout.root, images: set}, nil
}

// Check finds all that Build would refuse without making anything.
func (b *Builder) Check(ctx context.Context, c *yml.Config) (err error) {
	set, err := findImages(ctx, c, b.Finder, b.Platform)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.close()) }()
	containers, err := b.translate(c, set)
	if err != nil {
		return err
	}
	return b.checkImages(c, set, containers)
}

// translate makes every container's config.json and runtime.json.
func (b *Builder) translate(c *yml.Config, set *images) ([]*container, error) {
	var faults yml.Faults
	volumes := map[string]*yml.Volume{}
	for _, v := range c.Volumes {
		volumes[v.Name] = v
	}
	numbers := containerIDs(c)
	counts := map[bundle.Section]int{}
	var list []*container
	for _, x := range c.Containers() {
		img := set.get(x.Image)
		label, err := yml.ParseLabel(x.Image, img.Config.Config.Labels[labelKey])
		var more yml.Faults
		if errors.As(err, &more) {
			faults.Add(x.At.Child("image").At("the label %s of the image is wrong", labelKey))
			faults.Add(more...)
			continue
		} else if err != nil {
			return nil, err
		}
		t := &translator{c: x, label: label, image: img.Config.Config, volumes: volumes, ids: numbers, hardening: b.Hardening}
		out := &container{Container: x, index: counts[x.Section], folder: folder(x, counts[x.Section])}
		counts[x.Section]++
		out.spec, out.runtime = t.spec(), mergeRuntime(x.Runtime, label.Runtime)
		faults.Add(t.faults...)
		list = append(list, out)
	}
	return list, faults.Err()
}

// folder is the bundle's folder: numbered where the order counts.
func folder(x *yml.Container, index int) string {
	if x.Section == bundle.Services {
		return string(x.Section) + "/" + x.Name
	}
	return fmt.Sprintf("%s/%03d-%s", x.Section, index, x.Name)
}

func volumePath(name, sub string) string { return bundle.Root + "/volumes/" + name + "/" + sub }
