package images

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"slipway/pkg/build/yml"
)

// AddRecipe adds the recipe of a directory that is none of ours, after Open, and returns the
// name under which it is built: the one given, or with "" what the recipe says.
// Programs in it are of the Go module that the directory lies in.
func (b *Builder) AddRecipe(dir, name string) (string, error) {
	r, err := LoadRecipe(dir)
	if err != nil {
		return "", err
	}
	if name == "" && r.named {
		name = r.Name
	}
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("recipe %s: name: %w", filepath.Join(dir, RecipeFile), err)
	}
	r.Name = shortName(name)
	if other := b.recipes[r.Name]; other != nil && !other.stored() {
		return "", fmt.Errorf("recipes %s and %s are both called %s", other.Dir, dir, r.Name)
	}
	if r.From != "" {
		r.From = shortName(r.From)
	}
	b.recipes[r.Name] = r
	if r.Module, err = moduleAround(dir); err != nil {
		return "", fmt.Errorf("recipe %s: find its Go module: %w", filepath.Join(dir, RecipeFile), err)
	}
	return r.Name, nil
}

// checkName refuses names that the image cannot have in the store.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("missing; want ORG/NAME:TAG, in the recipe or on the command line, such as localhost/web:1")
	case !yml.IsImageName(name) || strings.Contains(name, "@"):
		return fmt.Errorf("%q can be no image's; want ORG/NAME:TAG in small letters, such as localhost/web:1", name)
	case isOwn(shortName(name)) || strings.HasPrefix(name, Repository):
		return fmt.Errorf("%q: names with no / before them, or %s, are those of slipway's own images; want ORG/NAME:TAG, such as localhost/web:1", name, Repository)
	}
	return nil
}

// moduleAround is the nearest directory, from dir upwards, with a go.mod; "" for none.
func moduleAround(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	for ; err == nil && !exists(filepath.Join(dir, "go.mod")); dir = filepath.Dir(dir) {
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
	return dir, err
}
