package slipway

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/images"
)

// TestCarried unpacks what the tool carries and holds it against the repository: the
// sources of all that our images' programs import, and all recipes but those of tests,
// of which git keeps permissions and go:embed does not.
func TestCarried(t *testing.T) {
	dir := t.TempDir()
	if err := images.Unpack(Carried, dir); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}{{end}}", "./cmd/init", "./cmd/service").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	directories := strings.Fields(string(out))
	recipes, err := filepath.Glob(filepath.Join(root, "images", "*", images.RecipeFile))
	if err != nil || len(directories) < 20 || len(recipes) < 10 {
		t.Fatalf("%d packages, %d recipes: %v", len(directories), len(recipes), err)
	}
	for _, recipe := range recipes {
		directories = append(directories, filepath.Dir(recipe))
	}
	for _, directory := range directories {
		name, err := filepath.Rel(root, directory)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "images/test") {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s is carried", name)
			}
			continue
		}
		compare(t, directory, filepath.Join(dir, name))
	}
}

// compare holds the files of a directory against their copies.
func compare(t *testing.T, directory, copied string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		want, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.Stat(filepath.Join(copied, e.Name()))
		if err != nil || got.Size() != want.Size() || (got.Mode()^want.Mode())&(fs.ModeType|0o100) != 0 {
			t.Errorf("%s: %v, want %v; %v", filepath.Join(directory, e.Name()), got, want, err)
		}
	}
}
