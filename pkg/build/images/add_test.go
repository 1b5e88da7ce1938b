package images

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recipes of somebody else's: one on top of an image of ours, with a program of the
// module around it, and one on top of that.
func foreign(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":         "module theirs\n\ngo 1.24\n",
		"cmd/it/main.go": "package main\n\nfunc main() { println(1) }\n",
		"recipes/app/image.yml": `
name: localhost/app:3
about: a program
from: low
contents:
  - program: {package: ./cmd/it, to: /bin/it}
config: {cmd: [/bin/it], linuxkit: {capabilities: [CAP_SYS_TIME]}}
`,
		"recipes/more/image.yml": "about: more\nfrom: localhost/app:3\ncontents: [{folders: [/more]}]\n",
	})
	return dir
}

// TestAddRecipe builds recipes of somebody else's, in two directories and stores: the same
// bytes, under the names they say or are given, beside ours and as none of ours.
func TestAddRecipe(t *testing.T) {
	var sums []map[string]string
	for range 2 {
		root, dir, store := repository(t), foreign(t), filepath.Join(t.TempDir(), "store")
		b, n := open(t, root, store)
		one, err := b.AddRecipe(filepath.Join(dir, "recipes/app"), "")
		if err != nil {
			t.Fatal(err)
		}
		two, err := b.AddRecipe(filepath.Join(dir, "recipes/more"), "example/more")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Build(context.Background(), []string{one, two}, 2); err != nil {
			t.Fatal(err)
		}
		if len(n.ended) != 3 || one != "localhost/app:3" || two != "example/more:latest" {
			t.Errorf("%s and %s: built %v", one, two, n.ended)
		}
		conf, err := image(t, b, two).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := conf.Config.Labels[labelTitle]; got != "example/more" || conf.Config.Cmd[0] != "/bin/it" || len(conf.RootFS.DiffIDs) != 3 {
			t.Errorf("title %q, cmd %q, %d layers", got, conf.Config.Cmd, len(conf.RootFS.DiffIDs))
		}
		sums = append(sums, digests(t, root, store))
		// Without its recipe it is on the list, and in no export or push of all.
		if again, _ := open(t, root, store); again.recipes[one] == nil {
			t.Errorf("%s is not listed", one)
		} else if index, err := again.exportIndex(nil); err != nil {
			t.Error(err)
		} else if m, err := index.IndexManifest(); err != nil || len(m.Manifests) != 1 {
			t.Errorf("%d images are exported with no name, want low alone: %v", len(m.Manifests), err)
		}
		if index, err := b.exportIndex([]string{one}); err != nil || index == nil {
			t.Errorf("export of %s: %v", one, err)
		}
		// What has not changed is not built again; the program's source is an input.
		write(t, dir, map[string]string{"cmd/it/main.go": "package main\n\nfunc main() { println(2) }\n"})
		b, n = open(t, root, store)
		if one, err = b.AddRecipe(filepath.Join(dir, "recipes/app"), ""); err == nil {
			err = b.Build(context.Background(), []string{one}, 1)
		}
		if err != nil || n.ended["low"] != "up to date" || !strings.HasPrefix(n.ended[one], "built") {
			t.Errorf("again: %v, %v", n.ended, err)
		}
	}
	for _, name := range []string{"low", "localhost/app:3", "example/more:latest"} {
		if sums[0][name] == "" || sums[0][name] != sums[1][name] {
			t.Errorf("%s: %s and %s", name, sums[0][name], sums[1][name])
		}
	}
}

func TestAddRecipeFaults(t *testing.T) {
	b, _ := open(t, repository(t), filepath.Join(t.TempDir(), "store"))
	dir := foreign(t)
	app, more := filepath.Join(dir, "recipes/app"), filepath.Join(dir, "recipes/more")
	for name, want := range map[string]string{
		"":               "name: missing; want ORG/NAME:TAG",
		"busybox":        "are those of slipway's own images",
		"slipway/x:v0.1": "are those of slipway's own images",
		"UPPER/x":        "can be no image's",
		"a/b@sha256:12":  "can be no image's",
	} {
		_, err := b.AddRecipe(more, name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(more, RecipeFile)) {
			t.Errorf("%q: error %v, want %q and the file", name, err, want)
		}
	}
	write(t, dir, map[string]string{"web/image.yml": "name: web\nabout: named as its directory\n"})
	if _, err := b.AddRecipe(filepath.Join(dir, "web"), ""); err == nil || !strings.Contains(err.Error(), `name: "web": names with no / before them`) {
		t.Errorf("named as its folder: error %v", err)
	}
	if _, err := b.AddRecipe(filepath.Join(dir, "nosuch"), "a/b"); err == nil || !strings.Contains(err.Error(), "nosuch/image.yml") {
		t.Errorf("no recipe: error %v", err)
	}
	if _, err := b.AddRecipe(more, "a/b:1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Build(context.Background(), []string{"a/b:1"}, 1); err == nil || !strings.Contains(err.Error(), "from: no image localhost/app:3 (there are: a/b:1 ") {
		t.Errorf("base that is nowhere: error %v", err)
	}
	if _, err := b.AddRecipe(app, "a/b:1"); err == nil || !strings.Contains(err.Error(), "are both called a/b:1") {
		t.Errorf("one name twice: error %v", err)
	}
	if _, err := b.AddRecipe(app, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	b, _ = open(t, repository(t), filepath.Join(t.TempDir(), "store"))
	name, err := b.AddRecipe(app, "")
	if err == nil {
		err = b.Build(context.Background(), []string{name}, 1)
	}
	if err == nil || !strings.Contains(err.Error(), "app/image.yml:6:5: contents[0].program: build /bin/it: neither "+app+" nor a directory above it has a go.mod") {
		t.Errorf("program of no module: error %v", err)
	}
}
