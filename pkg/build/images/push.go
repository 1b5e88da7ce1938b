package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
)

// architectures are those that a pushed image has.
var architectures = []string{"amd64", "arm64"}

// Push writes images of the store to a registry, each as one index of both
// architectures: those named, or all of our recipes but those of tests that it has for
// both. Nothing is pushed if one that is named is missing, or one is not what its recipe
// makes now, or two would be one there. What was pushed is told with its digest, as NAME:TAG@DIGEST.
func (b *Builder) Push(ctx context.Context, registry *oci.Registry, to oci.PushTarget, names []string, told func(string)) error {
	indexes, err := b.pushIndexes(names)
	if err == nil {
		err = refuseCollision(to, slices.Sorted(maps.Keys(indexes)))
	}
	if err == nil {
		err = b.refuseOutdated(ctx, slices.Sorted(maps.Keys(indexes)))
	}
	if err != nil {
		return fmt.Errorf("push images: %w", err)
	}
	for _, name := range b.names() {
		if indexes[name] == nil {
			continue
		}
		digest, err := indexes[name].Digest()
		if err != nil {
			return fmt.Errorf("push image %s: %w", name, err)
		}
		begin := time.Now()
		b.Progress.Begin(name)
		b.Progress.Step(name, "pushing to "+to.Name(name))
		err = registry.Push(ctx, to, name, indexes[name])
		b.Progress.End(name, "pushed", time.Since(begin), err)
		if err != nil {
			return err
		}
		told(to.Name(name) + "@" + digest.String())
	}
	return nil
}

// refuseCollision finds two images that would be one there, of which the second would
// take the place of the first.
func refuseCollision(to oci.PushTarget, names []string) error {
	by := map[string]string{}
	for _, name := range names {
		target := to.Name(name)
		if other, taken := by[target]; taken {
			return fmt.Errorf("%s and %s would both be %s", other, name, target)
		}
		by[target] = name
	}
	return nil
}

// pushIndexes are the indexes to be pushed, by name.
func (b *Builder) pushIndexes(names []string) (map[string]v1.ImageIndex, error) {
	all := len(names) == 0
	if all {
		names = slices.DeleteFunc(b.names(), func(name string) bool { return isForTests(name) || !isOwn(name) })
	}
	indexes := map[string]v1.ImageIndex{}
	missing := map[string][]string{} // by architecture
	for _, name := range names {
		name = shortName(name)
		if b.recipes[name] == nil {
			return nil, b.unknown(name)
		}
		index, lacks, err := b.pushIndex(name)
		if err != nil {
			return nil, err
		}
		if all && len(lacks) == len(architectures) {
			continue
		}
		for _, arch := range lacks {
			missing[arch] = append(missing[arch], name)
		}
		if len(lacks) == 0 || !all {
			indexes[name] = index
		}
	}
	half := buildError("not all are in the store for both architectures", missing)
	switch {
	case len(indexes) == 0 && half == nil:
		return nil, errors.New("the store holds none: run `slipway images build`, and with --platform for the other architecture")
	case all && len(indexes) > 0 && half != nil:
		b.Progress.Note("left out: " + half.Error())
		return indexes, nil
	}
	return indexes, half
}

// isForTests tells the images that only our own tests use, which nobody else wants.
func isForTests(name string) bool { return strings.HasPrefix(name, "test") }

// refuseOutdated compares with the recipes, where there are any.
func (b *Builder) refuseOutdated(ctx context.Context, names []string) error {
	if b.Root == "" {
		return nil
	}
	outdated := map[string][]string{} // by architecture
	for _, arch := range architectures {
		of := &Builder{Root: b.Root, Arch: arch, Progress: b.Progress}
		if err := of.Open(); err != nil {
			return err
		}
		for _, name := range names {
			s, err := of.status(ctx, of.recipes[name])
			switch {
			case err != nil:
				return err
			case s.State == Broken:
				return fmt.Errorf("image %s for %s cannot be compared with its recipe: %s", name, arch, s.Fault)
			case s.State == Outdated:
				outdated[arch] = append(outdated[arch], name)
			}
		}
	}
	return buildError("not all in the store are what their recipes make now", outdated)
}

// buildError says how to make what the store lacks, by architecture; nil if it lacks
// nothing.
func buildError(fault string, missing map[string][]string) error {
	var commands []string
	for _, arch := range architectures {
		build := "`slipway images build --platform linux/" + arch + " "
		var own []string
		for _, name := range missing[arch] {
			if isOwn(name) {
				own = append(own, name)
			} else {
				commands = append(commands, build+"--recipe DIR "+name+"`")
			}
		}
		if len(own) > 0 {
			commands = append(commands, build+strings.Join(own, " ")+"`")
		}
	}
	if len(commands) == 0 {
		return nil
	}
	return fmt.Errorf("%s: run %s", fault, strings.Join(commands, " and "))
}

// pushIndex is an image of both architectures, and those that the store lacks. Its
// bytes depend on the images alone.
func (b *Builder) pushIndex(name string) (v1.ImageIndex, []string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var lacks []string
	for _, arch := range architectures {
		platform := v1.Platform{OS: "linux", Architecture: arch}
		s := store{layout: b.store.layout, platform: platform}
		d, err := s.entry(name)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			lacks = append(lacks, arch)
			continue
		}
		img, err := s.image(d)
		if err != nil {
			return nil, nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	return index, lacks, nil
}
