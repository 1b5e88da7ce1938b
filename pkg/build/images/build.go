package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/version"
)

// Names of our images in the store.
const (
	Repository = "slipway/"
	Tag        = version.ImageTag
)

// FullName is an image's name as LinuxKit's cache and our builder look it up.
func FullName(name string) string {
	if !isOwn(name) {
		return oci.FullName(name)
	}
	return "docker.io/" + Repository + name + ":" + Tag
}

// isOwn tells names of images of ours, which are short, from those of others.
func isOwn(name string) bool { return !strings.Contains(name, "/") }

// packing changes when the same inputs give other images: raise it then.
const packing = "packing 1"

// A Builder builds images into the local store.
type Builder struct {
	Root     string // the repository, which holds images/, or what Unpack wrote
	Arch     string // amd64 or arm64
	Force    bool   // build even what is up to date
	Progress Progress
	// Version is told by programs that say a version, where Root is no clone.
	Version version.Info

	store   store
	apt     *aptCache
	recipes map[string]*Recipe
}

// buildOne brings one image up to date. Its base is up to date already.
func (b *Builder) buildOne(ctx context.Context, r *Recipe) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	begin := time.Now()
	b.Progress.Begin(r.Name)
	outcome := ""
	defer func() { b.Progress.End(r.Name, outcome, time.Since(begin), err) }()
	s := b.site(r)
	inputs, err := b.inputs(ctx, r, s)
	if err != nil {
		return err
	}
	have, err := b.store.entry(r.Name)
	if err != nil {
		return err
	}
	if have != nil && have.Annotations[annotationInputs] == inputs && !b.Force {
		outcome = "up to date"
		return nil
	}
	img, err := b.make(ctx, r, s)
	if err != nil {
		return err
	}
	size, err := layersSize(img)
	if err != nil {
		return err
	}
	s.say("storing %s", megabytes(size))
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := b.store.put(r.Name, inputs, img); err != nil {
		return err
	}
	outcome = "built, " + megabytes(size)
	return nil
}

func (b *Builder) site(r *Recipe) *site {
	s := &site{
		recipe: r, root: b.Root, images: filepath.Join(b.Root, "images"), version: b.Version, arch: b.Arch, apt: b.apt,
		say: func(format string, args ...any) { b.Progress.Step(r.Name, fmt.Sprintf(format, args...)) },
	}
	if r != nil && !r.own() {
		s.root, s.version = r.Module, version.Info{}
	}
	return s
}

// inputs is the sum of everything that the image depends on.
func (b *Builder) inputs(ctx context.Context, r *Recipe, s *site) (string, error) {
	lines := []string{packing, r.Name, Tag, b.Arch, string(r.Text)}
	if r.From != "" {
		base, err := b.store.entry(r.From)
		if err != nil {
			return "", err
		}
		if base == nil {
			return "", fmt.Errorf("base image %s is not in the store", r.From)
		}
		lines = append(lines, "base "+base.Digest.String())
	}
	err := r.steps(func(st step) error {
		more, err := st.inputs(ctx, s)
		lines = append(lines, more...)
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Join(lines, "\n")))), nil
}

// make carries out the recipe.
func (b *Builder) make(ctx context.Context, r *Recipe, s *site) (v1.Image, error) {
	t := Tree{}
	err := r.steps(func(st step) error {
		before := t.standIns()
		if err := st.apply(ctx, s, t); err != nil {
			return err
		}
		return t.keeps(before, crossTargets[s.arch].triplet)
	})
	if err != nil {
		return nil, err
	}
	var base v1.Image
	if r.From != "" {
		d, err := b.store.entry(r.From)
		if err != nil {
			return nil, err
		}
		if base, err = b.store.image(d); err != nil {
			return nil, err
		}
	}
	s.say("packing")
	return pack(base, t, s)
}

func layersSize(img v1.Image) (int64, error) {
	m, err := img.Manifest()
	if err != nil {
		return 0, fmt.Errorf("read manifest: %w", err)
	}
	var size int64
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
