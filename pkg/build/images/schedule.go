package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
)

// Open reads the recipes and prepares for building. Images that the store has beside
// those of the recipes, or all where there is no Root, can be listed and taken along.
func (b *Builder) Open() error {
	if oci.StoreDir() == "" {
		return oci.ErrNoStore
	}
	b.store = store{layout: oci.OpenStore(), platform: v1.Platform{OS: "linux", Architecture: b.Arch}}
	b.recipes = map[string]*Recipe{}
	if err := b.openStored(); err != nil || b.Root == "" {
		return err
	}
	recipes, err := LoadRecipes(filepath.Join(b.Root, "images"))
	if err != nil {
		return err
	}
	for _, r := range recipes {
		b.recipes[r.Name] = r
	}
	dir, err := CacheDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make cache directory: %w", err)
	}
	b.apt = &aptCache{dir: dir, arch: runtime.GOARCH, lists: "/var/lib/apt/lists", got: map[string]deb{}, say: func(format string, args ...any) {
		b.Progress.Note(fmt.Sprintf(format, args...))
	}}
	return nil
}

func (b *Builder) openStored() error {
	items, err := b.store.layout.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		// Those of somebody else's recipes are known by having been built.
		name := shortName(item.Name)
		made := isOwn(name) || item.Annotations[annotationInputs] != ""
		if made && item.Name == FullName(name) && item.Annotations[oci.FetchedAnnotation] == "" {
			b.recipes[name] = &Recipe{Name: name}
		}
	}
	return nil
}

// checkBases makes sure that following From ends, for every image.
func (b *Builder) checkBases() error {
	for name, r := range b.recipes {
		for hops := 0; r.From != ""; hops++ {
			below, ok := b.recipes[r.From]
			if !ok {
				return fmt.Errorf("image %s: from: no image %s (there are: %s)", r.Name, r.From, strings.Join(b.names(), " "))
			}
			if hops > len(b.recipes) {
				return fmt.Errorf("image %s: from: comes back to itself", name)
			}
			r = below
		}
	}
	return nil
}

// ErrUnknownImage is wrapped where an image is named that has no recipe.
var ErrUnknownImage = errors.New("no such image")

// choose resolves the names given by the user; none means all that are not
// built on demand only. Bases are added.
func (b *Builder) choose(names []string) ([]*Recipe, error) {
	if len(names) == 0 {
		for name, r := range b.recipes {
			if !r.OnDemand && !r.stored() && r.own() {
				names = append(names, name)
			}
		}
	}
	want := map[string]bool{}
	for _, name := range names {
		name = shortName(name)
		r, ok := b.recipes[name]
		if !ok || r.stored() {
			return nil, b.unknown(name)
		}
		for ; r != nil && !r.stored(); r = b.recipes[r.From] {
			want[r.Name] = true
		}
	}
	var out []*Recipe
	for _, name := range b.names() {
		if want[name] {
			out = append(out, b.recipes[name])
		}
	}
	return out, nil
}

func (b *Builder) unknown(name string) error {
	return fmt.Errorf("%w: %s (there are: %s)", ErrUnknownImage, name, strings.Join(b.names(), " "))
}

// shortName accepts "slipway/runc:TAG" for "runc". Of other names it is the one that
// lists show, with the tag.
func shortName(name string) string {
	own := strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), Repository)
	if isOwn(own) {
		return strings.TrimSuffix(own, ":"+Tag)
	}
	return strings.TrimPrefix(oci.FullName(name), "docker.io/")
}

// Names are those of the recipes, in order.
func (b *Builder) Names() []string {
	return slices.DeleteFunc(b.names(), func(name string) bool { return b.recipes[name].stored() })
}

func (b *Builder) names() []string { return slices.Sorted(maps.Keys(b.recipes)) }

// Build brings images up to date, side by side, each after its base. One that
// fails does not keep the others from being built, but those that lie on it; all
// failures are returned.
func (b *Builder) Build(ctx context.Context, names []string, jobs int) error {
	if err := b.checkBases(); err != nil {
		return err
	}
	todo, err := b.choose(names)
	if err != nil {
		return err
	}
	if err := missing(todo, b.site(nil)); err != nil {
		return fmt.Errorf("build images: %w", err)
	}
	builds := map[string]*building{}
	for _, r := range todo {
		builds[r.Name] = &building{done: make(chan struct{})}
	}
	slots := make(chan struct{}, max(jobs, 1))
	var wg sync.WaitGroup
	for _, r := range todo {
		wg.Go(func() {
			this := builds[r.Name]
			defer close(this.done)
			if base := builds[r.From]; base != nil {
				<-base.done
				if base.err != nil {
					this.err = fmt.Errorf("build image %s: its base %s was not built", r.Name, r.From)
					return
				}
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			if this.err = b.buildOne(ctx, r); this.err != nil {
				this.err = fmt.Errorf("build image %s: %w", r.Name, this.err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var errs []error
	for _, r := range todo {
		errs = append(errs, builds[r.Name].err)
	}
	return errors.Join(errs...)
}

// A building is one image while it is built; err may be read once done is closed.
type building struct {
	done chan struct{}
	err  error
}
