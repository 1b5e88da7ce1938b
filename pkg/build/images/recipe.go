package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/pkg/build/input"
)

// RecipeFile is the name of the recipe in the directory of an image.
const RecipeFile = "image.yml"

// Bytes that a recipe and a file that it names may have: both are kept in memory.
const (
	maxRecipe = 1 << 20
	maxFile   = 1 << 30
)

// A Recipe says what an image is made of.
type Recipe struct {
	// Name is what the image is called: that of the directory for ours, which name none;
	// for a recipe of somebody else's what it names, or who builds it.
	Name string `yaml:"name"`
	// About is one line for `slipway images list`; it is the image's description too.
	About string `yaml:"about" need:"what the image is, in one line"`
	// From names another image, whose layers lie below this one's: one of ours by its
	// short name, or one that a recipe has made.
	From string `yaml:"from"`
	// OnDemand keeps the image out of a build of all images.
	OnDemand bool `yaml:"on-demand"`
	// Contents are carried out in order; later ones replace earlier ones.
	Contents []Content `yaml:"contents"`
	Config   Config    `yaml:"config"`

	named  bool     // by itself
	Dir    string   `yaml:"-"` // the recipe's directory, against which its paths are resolved
	Text   []byte   `yaml:"-"` // the recipe as it was read: one of the inputs
	Module string   `yaml:"-"` // the Go module around it, for programs; "": the builder's
	places []string // of each of Contents, "FILE:LINE:COLUMN: contents[0].files"
}

// own tells whether it is one of ours.
func (r *Recipe) own() bool { return isOwn(r.Name) }

// stored tells that there is no recipe, only an image that the store has.
func (r *Recipe) stored() bool { return r.Dir == "" }

// Config is what a container made from the image finds, unless its entry in
// linuxkit.yml says otherwise.
type Config struct {
	Entrypoint []string          `yaml:"entrypoint"`
	Cmd        []string          `yaml:"cmd"`
	Env        []string          `yaml:"env"`
	WorkingDir string            `yaml:"workdir"`
	Labels     map[string]string `yaml:"labels"`
	// LinuxKit becomes the label org.mobyproject.config: the defaults that
	// LinuxKit's builder takes for capabilities, binds, namespaces and so on.
	LinuxKit map[string]any `yaml:"linuxkit"`
}

const linuxKitLabel = "org.mobyproject.config"

// labels are the image's labels as the recipe gives them.
func (c *Config) labels() (map[string]string, error) {
	out := map[string]string{}
	maps.Copy(out, c.Labels)
	if len(c.LinuxKit) > 0 {
		text, err := json.Marshal(c.LinuxKit)
		if err != nil {
			return nil, fmt.Errorf("encode label "+linuxKitLabel+": %w", err)
		}
		out[linuxKitLabel] = string(text)
	}
	return out, nil
}

// Content is one step of a recipe. Exactly one field is set.
type Content struct {
	Folders folders  `yaml:"folders"`
	Files   files    `yaml:"files"`
	Links   links    `yaml:"links"`
	Debian  *debian  `yaml:"debian"`
	Program *program `yaml:"program"`
	Module  *module  `yaml:"module"`
	Kernel  *kernel  `yaml:"kernel"`
}

// step returns the field that is set; nil for none or several.
func (c *Content) step() step {
	var set []step
	if c.Folders != nil {
		set = append(set, c.Folders)
	}
	if c.Files != nil {
		set = append(set, c.Files)
	}
	if c.Links != nil {
		set = append(set, c.Links)
	}
	if c.Debian != nil {
		set = append(set, c.Debian)
	}
	if c.Program != nil {
		set = append(set, c.Program)
	}
	if c.Module != nil {
		set = append(set, c.Module)
	}
	if c.Kernel != nil {
		set = append(set, c.Kernel)
	}
	if len(set) != 1 {
		return nil
	}
	return set[0]
}

// steps calls f with each step; its errors are told with the step's place.
func (r *Recipe) steps(f func(step) error) error {
	for i := range r.Contents {
		if err := f(r.Contents[i].step()); err != nil {
			return fmt.Errorf("%s: %w", r.places[i], err)
		}
	}
	return nil
}

// LoadRecipe reads the recipe in a directory. Unless it names the image itself, that is
// called as the directory is. Errors name the file and, for a fault in it, line, column and
// key, all of them at once.
func LoadRecipe(dir string) (*Recipe, error) {
	file := filepath.Join(dir, RecipeFile)
	text, err := input.Read(file, maxRecipe)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	r := &Recipe{Dir: dir, Text: text}
	if err := r.parse(file); err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	return r, nil
}

// LoadRecipes reads every recipe below the directory images/, in order of name.
func LoadRecipes(dir string) ([]*Recipe, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", RecipeFile))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("read recipes: %s holds no NAME/%s", dir, RecipeFile)
	}
	slices.Sort(found)
	all := make([]*Recipe, len(found))
	var faults []error
	for i, file := range found {
		dir := filepath.Dir(file)
		all[i], err = LoadRecipe(dir)
		if err == nil && all[i].Name != filepath.Base(dir) {
			err = fmt.Errorf("read recipe %s: name: our own images are called as their directories", file)
		}
		faults = append(faults, err)
	}
	return all, errors.Join(faults...)
}

// ErrNoRoot is what FindRoot says outside of the repository.
var ErrNoRoot = errors.New("neither it nor a directory above it holds go.mod and images/NAME/" + RecipeFile)

// FindRoot finds the repository that holds images/: the directory start or the
// nearest one above it with both go.mod and recipes.
func FindRoot(start string) (string, error) {
	start, err := filepath.Abs(start)
	if err != nil {
		return "", fmt.Errorf("find images: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		recipes, err := filepath.Glob(filepath.Join(dir, "images", "*", RecipeFile))
		if err == nil && len(recipes) > 0 && exists(filepath.Join(dir, "go.mod")) {
			return dir, nil
		}
		if strings.TrimRight(dir, "/") == "" {
			return "", fmt.Errorf("find images in %s: %w", start, ErrNoRoot)
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
