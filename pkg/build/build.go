package build

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// Builder turns a configuration into a root file system.
type Builder struct {
	// Finder finds the images. Without one CheckFiles and Check look at the text
	// alone.
	Finder    Finder
	Platform  v1.Platform
	Hardening Hardening
	// DecompressKernel puts the kernel into the image without its own
	// compression.
	DecompressKernel bool
}

// labelKey is the image label that holds LinuxKit's settings.
const labelKey = "org.mobyproject.config"

// Machine is what a build makes: the root file system with the kernel in boot/.
type Machine struct {
	Root *tree.Tree
	// Warnings are faults that did not stop the build.
	Warnings yml.Faults

	images *images
	used   map[want][]string
	names  map[string]string // of containers, by place in the YAML
	places map[string]yml.Position
}

// Close gives back the images' files; Root cannot be read afterwards.
func (m *Machine) Close() error { return m.images.close() }

// container is one container with all that its bundle is made of.
type container struct {
	*yml.Container
	directory string // below bundle.Root, such as "onboot/000-dhcp"
	index     int    // in its section
	spec      *specs.Spec
	runtime   bundle.Runtime
	policy    bundle.Policy
	label     *yml.Settings // what the image's label says
	unread    bool          // the image was not found, so nobody knows what it says
}

// unspecified tells that the YAML says nothing of a key, and the image may.
func (c *container) unspecified(key string) bool { return c.unread && !c.At.Has(key) }

// location is the container's place in the YAML.
func (c *container) location() string { return fmt.Sprintf("%s[%d]", c.Section, c.index) }

func (c *container) dir() string { return bundle.Root + "/" + c.directory }

// BuildFiles reads linuxkit.yml files ("-" is stdin) and builds the machine. If
// the text is wrong it looks for the images' faults too, so that all are told
// at once; they are the error then.
func (b *Builder) BuildFiles(ctx context.Context, files []string, stdin io.Reader) (*Machine, error) {
	c, faults, err := yml.Read(ctx, files, stdin)
	if err != nil {
		return nil, err
	}
	if len(faults.Only(yml.Error)) > 0 {
		more, err := b.Check(ctx, c)
		if err != nil {
			return nil, err
		}
		faults.AddNew(more...)
		return nil, faults.Err()
	}
	machine, err := b.Build(ctx, c)
	var more yml.Faults
	switch {
	case errors.As(err, &more):
		faults.Add(more...)
		return nil, faults.Err()
	case err != nil:
		return nil, err
	}
	machine.Warnings.Add(faults...)
	machine.Warnings.Sort()
	return machine, nil
}

// CheckFiles finds all that BuildFiles would refuse or warn of.
func (b *Builder) CheckFiles(ctx context.Context, files []string, stdin io.Reader) (yml.Faults, error) {
	c, faults, err := yml.Read(ctx, files, stdin)
	if err != nil {
		return nil, err
	}
	more, err := b.Check(ctx, c)
	faults.AddNew(more...)
	return faults, err
}

// Find looks for every image that the files name, and makes nothing of them. What is
// wrong with the text is told as well.
func (b *Builder) Find(ctx context.Context, files []string, stdin io.Reader) (yml.Faults, error) {
	c, faults, err := yml.Read(ctx, files, stdin)
	if err != nil {
		return nil, err
	}
	set, more, err := findImages(ctx, c, b.Finder, b.Platform)
	if err != nil {
		return nil, err
	}
	faults.AddNew(more...)
	return faults, set.close()
}

// Build makes the machine. The error is yml.Faults for what is wrong with the
// configuration.
func (b *Builder) Build(ctx context.Context, c *yml.Config) (machine *Machine, err error) {
	set, containers, faults, err := b.look(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, set.close())
		}
	}()
	if err := faults.Only(yml.Error).Err(); err != nil {
		return nil, faults.Err()
	}
	layout := b.layout(ctx, c, set, containers)
	more, err := layout.faults()
	if err != nil {
		return nil, err
	}
	faults.AddNew(more...)
	faults.Sort()
	if len(faults.Only(yml.Error)) > 0 {
		return nil, faults
	}
	names := map[string]string{}
	for _, c := range containers {
		names[c.location()] = c.Name
	}
	return &Machine{Root: layout.root, Warnings: faults, images: set, used: uses(c, b.Platform.String()), names: names, places: places(c, containers)}, nil
}

// Check finds all that Build would refuse or warn of, and makes nothing. The
// error is for what is not the configuration's fault.
func (b *Builder) Check(ctx context.Context, c *yml.Config) (yml.Faults, error) {
	set, containers, faults, err := b.look(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(faults.Only(yml.Error)) == 0 {
		more, err := b.layout(ctx, c, set, containers).faults()
		if err != nil {
			return nil, errors.Join(err, set.close())
		}
		faults.AddNew(more...)
	}
	return faults, set.close()
}

// layout is for the names of what a machine is made of, whose content is in the set.
func (b *Builder) layout(ctx context.Context, c *yml.Config, set *images, containers []*container) *layout {
	return &layout{ctx: ctx, Builder: b, config: c, images: set, containers: containers, root: tree.New()}
}

// look finds the images, translates the containers and collects every fault.
func (b *Builder) look(ctx context.Context, c *yml.Config) (*images, []*container, yml.Faults, error) {
	set, faults, err := findImages(ctx, c, b.Finder, b.Platform)
	if err != nil {
		return nil, nil, nil, err
	}
	containers, more := b.translate(ctx, c, set)
	faults.Add(more...)
	check := &checker{ctx: ctx, config: c, images: set, containers: containers, broken: map[string]bool{}, looked: map[string]bool{}}
	faults.Add(check.all(b)...)
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, errors.Join(err, set.close())
	}
	return set, containers, faults, nil
}

// translate makes every container's config.json and runtime.json. One whose
// image was not found is translated as if the image said nothing.
func (b *Builder) translate(ctx context.Context, c *yml.Config, set *images) ([]*container, yml.Faults) {
	var faults yml.Faults
	volumes := map[string]*yml.Volume{}
	for _, v := range c.Volumes {
		volumes[v.Name] = v
	}
	numbers := containerIDs(c)
	counts := map[bundle.Section]int{}
	var list []*container
	for _, x := range c.Containers() {
		var config v1.Config
		if img := set.get(x.Image); img != nil {
			config = img.Config.Config
		}
		label, wrong := yml.ParseLabel(x.Image, config.Labels[labelKey])
		if len(wrong) > 0 {
			faults.Add(aboutLabel(x, wrong))
			faults.Add(wrong...)
		}
		t := &translator{c: x, label: label, image: config, volumes: volumes, ids: numbers, hardening: b.Hardening,
			arch: b.Platform.Architecture, root: func() *tree.Tree { return set.peek(ctx, x.Image) }}
		out := &container{Container: x, label: label, index: counts[x.Section], directory: directory(x, counts[x.Section]), unread: set.get(x.Image) == nil}
		counts[x.Section]++
		out.spec, out.runtime = t.spec(), mergeRuntime(x.Runtime, label.Runtime, t.asLinuxKit())
		faults.Add(t.faults...)
		list = append(list, out)
	}
	return list, faults
}

// aboutLabel says at the container whose image's label has the faults; as the label
// has no file of its own.
func aboutLabel(x *yml.Container, wrong yml.Faults) yml.Fault {
	fault := x.At.Child("image").At("the label %s of the image is wrong", labelKey)
	if len(wrong.Only(yml.Error)) == 0 {
		return fault.Warns()
	}
	return fault
}

// directory is the bundle's directory: numbered where the order counts.
func directory(x *yml.Container, index int) string {
	if x.Section == bundle.Services {
		return string(x.Section) + "/" + x.Name
	}
	return fmt.Sprintf("%s/%03d-%s", x.Section, index, x.Name)
}

func volumePath(name, sub string) string { return bundle.Root + "/volumes/" + name + "/" + sub }
