package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/pkg/build/input"

	"go.yaml.in/yaml/v3"
)

// RecipeFile is the name of the recipe in the folder of an image.
const RecipeFile = "image.yml"

// A Recipe says what an image is made of.
type Recipe struct {
	// About is one line for `slipway images list`; it is the image's title too.
	About string `yaml:"about"`
	// From names another image of ours whose layers lie below this one's.
	From string `yaml:"from"`
	// OnDemand keeps the image out of a build of all images.
	OnDemand bool `yaml:"on-demand"`
	// Contents are carried out in order; later ones replace earlier ones.
	Contents []Content `yaml:"contents"`
	Config   Config    `yaml:"config"`

	Name string `yaml:"-"`
	Dir  string `yaml:"-"` // the recipe's folder, against which its paths are resolved
	Text []byte `yaml:"-"` // the recipe as it was read: one of the inputs
}

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

// labels are the image's labels as the recipe gives them.
func (c *Config) labels() (map[string]string, error) {
	out := map[string]string{}
	for k, v := range c.Labels {
		out[k] = v
	}
	if len(c.LinuxKit) > 0 {
		text, err := json.Marshal(c.LinuxKit)
		if err != nil {
			return nil, fmt.Errorf("encode label org.mobyproject.config: %w", err)
		}
		out["org.mobyproject.config"] = string(text)
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

// step returns the field that is set.
func (c *Content) step() (step, error) {
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
		return nil, errors.New("name one of folders, files, links, debian, program, module, kernel")
	}
	return set[0], nil
}

func (r *Recipe) steps() ([]step, error) {
	steps := make([]step, len(r.Contents))
	for i := range r.Contents {
		s, err := r.Contents[i].step()
		if err != nil {
			return nil, fmt.Errorf("contents[%d]: %w", i, err)
		}
		steps[i] = s
	}
	return steps, nil
}

// maxRecipe bounds a recipe's text, in bytes, and maxFile a file that it names: both
// are held in memory.
const (
	maxRecipe = 1 << 20
	maxFile   = 1 << 30
)

// LoadRecipe reads the recipe in one folder of images/. The folder's name is
// the image's name.
func LoadRecipe(dir string) (*Recipe, error) {
	file := filepath.Join(dir, RecipeFile)
	text, err := input.Read(file, maxRecipe)
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	r := &Recipe{Name: filepath.Base(dir), Dir: dir, Text: text}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("read recipe %s: %w", file, err)
	}
	if r.About == "" {
		return nil, fmt.Errorf("read recipe %s: about: missing", file)
	}
	if _, err := r.steps(); err != nil {
		return nil, fmt.Errorf("read recipe %s: %w", file, err)
	}
	return r, nil
}

// LoadRecipes reads every recipe below the folder images/, in order of name.
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
		all[i], err = LoadRecipe(filepath.Dir(file))
		faults = append(faults, err)
	}
	return all, errors.Join(faults...)
}

// ErrNoRoot is what FindRoot says outside of the repository.
var ErrNoRoot = errors.New("neither it nor a folder above it holds go.mod and images/NAME/" + RecipeFile)

// FindRoot finds the repository that holds images/: the folder start or the
// nearest one above it with both go.mod and recipes.
func FindRoot(start string) (string, error) {
	start, err := filepath.Abs(start)
	if err != nil {
		return "", err
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
