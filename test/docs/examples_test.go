package docs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/build/images"
	"slipway/pkg/build/yml"
)

// TestExamples: each machine of examples/ says in its first lines how it is built, is on the
// page that lists them, and is booted by a case; what it takes has a recipe, named there.
func TestExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/examples.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	used := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "\nkernel:")
		want := []string{"examples/" + name + ".yml", "slipway run", "# "}
		for _, m := range regexp.MustCompile(`localhost/([a-z-]+):`).FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
			want = append(want, "--recipe examples/recipes/"+m[1]+"\n")
		}
		for _, w := range want {
			if !strings.Contains(head, w) {
				t.Errorf("%s: its first lines have no %q", file, w)
			}
		}
		if !strings.Contains(string(page), "(../examples/"+name+".yml)") {
			t.Errorf("docs/examples.md does not list %s.yml", name)
		}
		if to, err := filepath.EvalSymlinks("../cases/example-" + name + "/linuxkit.yml"); err != nil || to != file {
			t.Errorf("no case boots %s.yml: %s, %v", name, to, err)
		}
	}
	recipes, err := filepath.Glob("../../examples/recipes/*")
	if err != nil || len(recipes) != len(used) {
		t.Errorf("%d recipes, and examples take %d: %v", len(recipes), len(used), err)
	}
	for _, dir := range recipes {
		short := filepath.Base(dir)
		r, err := images.LoadRecipe(dir)
		if err != nil {
			t.Error(err)
		} else if r.Name != "localhost/"+short+":1" || !used[short] || !strings.Contains(string(page), "| `"+short+"` |") {
			t.Errorf("%s: is called %s; used by an example: %v; want both, and a line in docs/examples.md", dir, r.Name, used[short])
		}
	}
}

// TestExamplesOnADisk: disk.yml makes one machine with each of the others, and what they have
// below /var, unlike what crypt.yml has on a disk of its own, is on its disk.
func TestExamplesOnADisk(t *testing.T) {
	const disk = "../../examples/disk.yml"
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "disk.yml" || name == "crypt.yml" {
			continue
		}
		config, faults, err := yml.Read(t.Context(), []string{disk, file}, nil)
		if err := errors.Join(err, faults.Err()); err != nil {
			t.Errorf("with disk.yml: %v", err)
			continue
		}
		command := *config.Onboot[0].Command
		on := command[len(command)-1] + "/"
		for _, c := range slices.Concat(config.Onboot, config.Services) {
			if c.Binds == nil {
				continue
			}
			for _, bind := range *c.Binds {
				if strings.HasPrefix(bind, "/var/") && !strings.HasPrefix(bind, on) {
					t.Errorf("%s: %s: %s is not on the disk of disk.yml, which is on %s", name, c.Name, bind, on)
				}
			}
		}
	}
}

// TestExamplesTogether: any two of them can be one machine: no name and no file of one is
// that of another.
func TestExamplesTogether(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for i, one := range files {
		for _, other := range files[i+1:] {
			pair := filepath.Base(one) + " and " + filepath.Base(other)
			config, faults, err := yml.Read(t.Context(), []string{one, other}, nil)
			if err := errors.Join(err, faults.Only(yml.Error).Err()); err != nil {
				t.Errorf("%s: %v", pair, err)
				continue
			}
			paths := map[string]bool{}
			for _, file := range config.Files {
				if paths[file.Path] {
					t.Errorf("%s: both have the file %s", pair, file.Path)
				}
				paths[file.Path] = true
			}
		}
	}
}
