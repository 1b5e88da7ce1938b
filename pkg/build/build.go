package build

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// Builder turns a configuration into a root file system.
type Builder struct {
	// Finder finds the images. Without one CheckFiles and Check look at the text
	// alone.
	Finder    Finder
	Platform  v1.Platform
	Hardening spec.Hardening
	// DecompressKernel puts the kernel into the image without its own
	// compression.
	DecompressKernel bool
}

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
		names[c.Location()] = c.Name
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
	if len(faults.Only(yml.Error)) == 0 && set.complete {
		more, err := b.layout(ctx, c, set, containers).faults()
		if err != nil {
			return nil, errors.Join(err, set.close())
		}
		faults.AddNew(more...)
	}
	return faults, set.close()
}

// layout is for the names of what a machine is made of, whose content is in the set.
func (b *Builder) layout(ctx context.Context, c *yml.Config, set *images, containers []*spec.Container) *layout {
	return &layout{ctx: ctx, Builder: b, config: c, images: set, containers: containers, root: tree.New()}
}

// look finds the images, translates the containers and collects every fault.
func (b *Builder) look(ctx context.Context, c *yml.Config) (*images, []*spec.Container, yml.Faults, error) {
	set, faults, err := findImages(ctx, c, b.Finder, b.Platform)
	if err != nil {
		return nil, nil, nil, err
	}
	containers, more := spec.Containers(ctx, c, set, b.Hardening, b.Platform.Architecture)
	faults.Add(more...)
	faults.Add(b.layout(ctx, c, set, containers).check()...)
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, errors.Join(err, set.close())
	}
	return set, containers, faults, nil
}
