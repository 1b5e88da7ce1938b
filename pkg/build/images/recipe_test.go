package images

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// write makes files below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadRecipeFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "it is empty",
		"a: [":                     "line 1",
		"about: x\nfolder: [/a]":   ":2:1: folder: there is no such key; want one of name, about, from,",
		"contents: []":             ":1:1: about: missing; want what the image is",
		"about: x\ncontents: [{}]": ":2:12: contents[0]: want one of folders,",
		"about: x\ncontents: [{folders: [/a], links: {a: [b]}}]":                                    ":2:12: contents[0]: want one of folders,",
		"about: x\ncontents: [{program: {package: ./x, into: /x}}]":                                 `:2:37: contents[0].program.into: there is no such key; did you mean "to"?`,
		"about: x\ncontents: [{program: {package: ./x, to: }}]":                                     ":2:41: contents[0].program.to: missing; want a path in the image",
		"about: x\ncontents: [{debian: {package: x, files: {}}}]":                                   ":2:41: contents[0].debian.files: missing; want path in the image: path in the package",
		"about: x\ncontents:\n- debian: {package: x, files: [/a]}":                                  ":3:31: contents[0].debian.files: want a mapping",
		"about: x\ncontents:\n- folders: /a":                                                        ":3:12: contents[0].folders: want a list",
		"about: x\ncontents:\n- folders: [9 /a]":                                                    ":3:3: contents[0].folders: permissions",
		"about: x\non-demand: 1":                                                                    ":2:12: on-demand: want true or false",
		"about: x\nconfig: {env: {A: b}}":                                                           ":2:15: config.env: want a list",
		"about: x\nconfig: {linuxkit: {capabilitys: [CAP_SYS_TIME]}}":                               "config.linuxkit: ",
		"about: x\n<<: {contents: [{folders: [/a]}]}\ncontents: [{folders: [/a]}, {folders: [/b]}]": ":2:1: recipes have no merge keys (<<); want each key written out",
		"<<: [{about: x}]": ":1:1: recipes have no merge keys",
		"about: x\ncontents:\n- <<: {filez: {/a: b}}\n  folders: [/a]":                                                                                ":3:3: recipes have no merge keys",
		"about: x\ncontents: [{files: {<<: {/a: b}}}]":                                                                                                ":2:21: recipes have no merge keys",
		"about: &about contents\n*about : [{folders: [/a]}]":                                                                                          ":2:1: this is no key; want a text",
		"about: x\ncontents: [{files: {/a: b, //a: c}}]":                                                                                              ":2:13: contents[0].files: /a is named twice",
		"about: x\ncontents: [{links: {a: [/x], b: [/c, / x y]}}]":                                                                                    ":2:13: contents[0].links: /x is named twice",
		"about: x\ncontents: [{debian: {package: p, files: {/a/../b: b, /b: c}}}]":                                                                    ":2:13: contents[0].debian: /b is named twice",
		"about: x\ncontents: [{debian: {package: -oDir::Etc=/x, files: {/a: a}}}]":                                                                    `:2:13: contents[0].debian: package "-oDir::Etc=/x": want the name`,
		"about: x\ncontents: [{debian: {package: x, files: {/a: a}, libraries: true, stand-ins: [\"x,-T\"]}}]":                                        `stand-ins "x,-T": want the name`,
		"about: x\ncontents: [{debian: {package: x, files: {/a: a}, stand-ins: [x]}}]":                                                                "stand-ins: want libraries: true",
		"about: x\ncontents: [{debian: {package: ../x, files: {/a: a}}}]":                                                                             `package "../x": want the name`,
		"about: x\ncontents: [{kernel: {package: -x-$ARCH}}]":                                                                                         `package "-x-$ARCH": want the name`,
		"about: x\ncontents: [{program: {package: -toolexec=./x, to: /a}}]":                                                                           `contents[0].program: package "-toolexec=./x": want a directory`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: -toolexec=x, to: /a}}]":                                          `contents[0].module: package "-toolexec=x": want a directory`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, set: [a.b=c -extld=x]}}]":                             `set "a.b=c -extld=x": want PACKAGE.VARIABLE=VALUE`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, set: [-x]}}]":                                         `:2:13: contents[0].module: set "-x": want PACKAGE`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, set: [a.b]}}]":                                        `:2:13: contents[0].module: set "a.b": want PACKAGE`,
		"about: x\ncontents: [{module: {module: -modfile=x, version: v1.0.0, sum: s, package: ., to: /a}}]":                                           `:2:13: contents[0].module: module "-modfile=x": want the path`,
		"about: x\ncontents: [{module: {module: m@v2, version: v1.0.0, sum: s, package: ., to: /a}}]":                                                 `:2:13: contents[0].module: module "m@v2": want the path`,
		"about: x\ncontents: [{module: {module: m, version: -x, sum: s, package: ., to: /a}}]":                                                        `:2:13: contents[0].module: version "-x": want a version`,
		"about: x\ncontents: [{module: {module: m, version: latest, sum: s, package: ., to: /a}}]":                                                    `:2:13: contents[0].module: version "latest": want a version`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, tags: -toolexec=x}}]":                                 `:2:13: contents[0].module: tags "-toolexec=x": want build tags`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, libraries: {--define-variable=prefix=x: libx-dev}}}]": `:2:13: contents[0].module: libraries "--define-variable=prefix=x": want the name`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, libraries: {'a b': libx-dev}}}]":                      `:2:13: contents[0].module: libraries "a b": want the name`,
		"about: x\ncontents: [{module: {module: m, version: v1.0.0, sum: s, package: ., to: /a, libraries: {l: -x}}}]":                                `package "-x": want the name`,
		"about: x\ncontents: &a [*a]": "contains itself",
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{RecipeFile: text})
		_, err := LoadRecipe(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(dir, RecipeFile)) {
			t.Errorf("recipe %q: error %v, want %q and the file", text, err, want)
		}
	}
}

// What lies elsewhere, by a way or a link, gets into no image.
func TestRecipeLeadsOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"secret": "mine", "elsewhere/main.go": "package main\n\nfunc main() {}\n", "a/go.mod": "module a\n\ngo 1.24\n", "a/b": "inside"})
	for link, to := range map[string]string{"out": "/etc/hostname", "up": "../secret", "folder": "..", "cmd": "../elsewhere", "in": "b"} {
		if err := os.Symlink(to, filepath.Join(dir, "a", link)); err != nil {
			t.Fatal(err)
		}
	}
	for what, fault := range map[string]string{
		"files: {/a: in}":                            "",
		"files: {/a: ../secret}":                     "files: add /a: statat ../secret: path escapes from parent; want what lies in " + dir + "/a",
		"files: {/a: /etc/hostname}":                 "path escapes",
		"files: {/a: out}":                           "path escapes",
		"files: {/a: 0600 up}":                       "path escapes",
		"files: {/a: folder/secret}":                 "path escapes",
		"program: {package: ./../elsewhere, to: /a}": "program: build /a: statat ./../elsewhere: path escapes",
		"program: {package: ./cmd, to: /a}":          "path escapes",
		"kernel: {package: k, like: ../../a}":        "kernel: like ../../a: statat ../../a: path escapes",
	} {
		write(t, dir, map[string]string{"a/" + RecipeFile: "about: x\ncontents: [{" + what + "}]\n"})
		r, err := LoadRecipe(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		s := &site{recipe: r, root: r.Dir, images: filepath.Join(dir, "a"), arch: "amd64"}
		err = r.steps(func(in step) error {
			if k, ok := in.(*kernel); ok {
				_, err := k.groups(s)
				return err
			}
			_, err := in.inputs(t.Context(), s)
			return err
		})
		if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: error %v, want %q", what, err, fault)
		}
	}
}

// What never ends is no recipe and no file of one.
func TestRecipeOfNoFile(t *testing.T) {
	b, _ := open(t, repository(t), filepath.Join(t.TempDir(), "store"))
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/" + RecipeFile: "about: x\ncontents: [{files: {/a: pipe}}]\n", "b/x": ""})
	for _, fifo := range []string{"a/pipe", "b/" + RecipeFile} {
		if err := unix.Mkfifo(filepath.Join(dir, fifo), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.AddRecipe(filepath.Join(dir, "b"), "o/b")
	if err == nil || !strings.Contains(err.Error(), "image.yml: is a FIFO; want a file") {
		t.Errorf("recipe: error %v", err)
	}
	name, err := b.AddRecipe(filepath.Join(dir, "a"), "o/a")
	if err == nil {
		err = b.Build(context.Background(), []string{name}, 1)
	}
	if err == nil || !strings.Contains(err.Error(), "image.yml:2:13: contents[0].files: add /a: "+filepath.Join(dir, "a/pipe")+": is a FIFO; want a file") {
		t.Errorf("file: error %v", err)
	}
}

// ourRecipes are those of this repository.
func ourRecipes(t *testing.T) map[string]*Recipe {
	t.Helper()
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{Root: root, Arch: "amd64"}
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	t.Setenv("SLIPWAY_CACHE", t.TempDir())
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	return b.recipes
}

func TestOurRecipes(t *testing.T) {
	recipes := ourRecipes(t)
	for _, name := range []string{"kernel", "init", "runc", "service", "busybox", "getty", "dhcp", "poweroff", "testinit", "testspeak", "testgreedy"} {
		if recipes[name] == nil || recipes[name].OnDemand {
			t.Errorf("no recipe %s that is built by default", name)
		}
	}
	for name, r := range recipes {
		for _, c := range r.Contents {
			for to, from := range c.Files {
				if _, _, err := c.Files.read(&site{recipe: r}, to); err != nil {
					t.Errorf("%s: %s: %v", name, from, err)
				}
			}
			if c.Kernel != nil {
				for _, g := range c.Kernel.Modules {
					if g.Why == "" || len(g.Names) == 0 {
						t.Errorf("%s: group %v lacks a reason or a name", name, g)
					}
				}
			}
		}
	}
}

// Every link of the busybox image must be a command that busybox has.
func TestBusyboxLinks(t *testing.T) {
	out, err := exec.Command("busybox", "--list").Output()
	if err != nil {
		skip.Test(t, skip.Program, "busybox: ", err)
	}
	has := strings.Fields(string(out))
	count := 0
	for _, c := range ourRecipes(t)["busybox"].Contents {
		for _, names := range c.Links {
			for _, link := range names.expand() {
				count++
				if !slices.Contains(has, filepath.Base(link)) {
					t.Errorf("%s: busybox has no such command", link)
				}
			}
		}
	}
	if count < 200 {
		t.Errorf("%d links, want 200 and more", count)
	}
}

func TestLinkNames(t *testing.T) {
	names := linkNames{"/bin/ cat ls", "/usr/bin/env", "/sbin/\n  a  b\n"}
	want := []string{"/bin/cat", "/bin/ls", "/usr/bin/env", "/sbin/a", "/sbin/b"}
	if got := names.expand(); !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
}

func TestPermissions(t *testing.T) {
	for entry, want := range map[string]struct {
		perm int64
		name string
		bad  bool
	}{
		"/tmp":        {0, "/tmp", false},
		"1777 /tmp":   {0o1777, "/tmp", false},
		"0600 shadow": {0o600, "shadow", false},
		"9 x":         {bad: true},
		"77777 x":     {bad: true},
	} {
		perm, name, err := permissions(entry)
		if perm != want.perm || name != want.name || (err != nil) != want.bad {
			t.Errorf("%q: %o %q %v", entry, perm, name, err)
		}
	}
}

func TestFindRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"go.mod": "module x", "images/a/image.yml": "", "cmd/x/main.go": ""})
	got, err := FindRoot(filepath.Join(dir, "cmd", "x"))
	if err != nil || got != dir {
		t.Errorf("root %q, %v; want %q", got, err, dir)
	}
	// Somebody else's project with a directory of pictures.
	other := t.TempDir()
	write(t, other, map[string]string{"go.mod": "module x", "images/a/logo.png": ""})
	for _, dir := range []string{"/", other} {
		if _, err := FindRoot(dir); !errors.Is(err, ErrNoRoot) {
			t.Errorf("%s: error %v", dir, err)
		}
	}
}
