package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// notes is a Progress that remembers how each image ended.
type notes struct {
	mu    sync.Mutex
	ended map[string]string
	steps []string
	// onStep is called with every step.
	onStep func(image, what string)
}

func (n *notes) Begin(string) {}
func (n *notes) Note(string)  {}

func (n *notes) Step(image, what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.steps = append(n.steps, image+": "+what)
	if n.onStep != nil {
		n.onStep(image, what)
	}
}

func (n *notes) End(image, outcome string, _ time.Duration, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended[image] = outcome
	if err != nil {
		n.ended[image] = "failed"
	}
}

// repository makes a small one: an image with files, one on top of it with a
// program, and one that is built on demand.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod":            "module small\n\ngo 1.24\n",
		"cmd/hello/main.go": "package main\n\nimport \"small/pkg/word\"\n\nfunc main() { println(word.Word) }\n",
		"pkg/word/word.go":  "package word\n\nconst Word = \"hello\"\n",
		"images/low/text":   "text\n",
		"images/low/image.yml": `
about: the lower one
contents:
  - files: {/etc/text: text}
  - folders: [1777 /tmp]
config:
  entrypoint: [/bin/low]
  cmd: [a]
  env: [A=1]
  workdir: /w
  linuxkit: {capabilities: [CAP_SYS_BOOT], pid: host}
`,
		"images/high/image.yml": `
about: the higher one
from: low
contents:
  - program: {package: ./cmd/hello, to: /bin/hello}
config:
  entrypoint: [/bin/hello]
  labels: {mine: "yes"}
`,
		"images/extra/image.yml": "about: rarely wanted\non-demand: true\ncontents: [{folders: [/x]}]\n",
	})
	return root
}

func open(t *testing.T, root, store string) (*Builder, *notes) {
	t.Helper()
	t.Setenv("SLIPWAY_STORE", store)
	t.Setenv("SLIPWAY_CACHE", filepath.Join(store, "..", "downloads"))
	n := &notes{ended: map[string]string{}}
	b := &Builder{Root: root, Arch: "amd64", Progress: n}
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	return b, n
}

// outcomes builds and returns how each image ended, without sizes.
func outcomes(t *testing.T, root, store string, names ...string) string {
	t.Helper()
	b, n := open(t, root, store)
	if err := b.Build(context.Background(), names, 2); err != nil {
		t.Fatal(err)
	}
	var out []string
	for image, how := range n.ended {
		how, _, _ = strings.Cut(how, ",")
		out = append(out, image+" "+how)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func digests(t *testing.T, root, store string) map[string]string {
	t.Helper()
	b, _ := open(t, root, store)
	list, err := b.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range list {
		out[shortName(s.Name)] = s.Digest
	}
	return out
}

func TestBuildOnlyWhatChanged(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	expect := func(want string, names ...string) {
		t.Helper()
		if got := outcomes(t, root, store, names...); got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
	}
	expect("high built; low built")
	expect("high up to date; low up to date")
	expect("extra built", "slipway/extra:v0.1")
	// Text that changes no input: a file that nothing names.
	write(t, root, map[string]string{"images/low/README": "x", "cmd/other/main.go": "package main"})
	expect("high up to date; low up to date")
	// A package that the program imports.
	write(t, root, map[string]string{"pkg/word/word.go": "package word\n\nconst Word = \"bye\"\n"})
	expect("high built; low up to date")
	// A file of the base: the image on top of it changes with it.
	write(t, root, map[string]string{"images/low/text": "other\n"})
	expect("high built; low built", "high")
	// Permissions of a file are an input.
	if err := os.Chmod(filepath.Join(root, "images/low/text"), 0o755); err != nil {
		t.Fatal(err)
	}
	expect("low built", "low")
}

func TestBuildIsReproducible(t *testing.T) {
	// Another directory, another store: the same bytes.
	first, second := repository(t), repository(t)
	stores := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	outcomes(t, first, stores[0], "high")
	outcomes(t, second, stores[1], "high")
	one, two := digests(t, first, stores[0]), digests(t, second, stores[1])
	for _, name := range []string{"low", "high"} {
		if one[name] == "" || one[name] != two[name] {
			t.Errorf("%s: %s and %s", name, one[name], two[name])
		}
	}
	// Forced, it is built and comes out the same.
	b, n := open(t, first, stores[0])
	b.Force = true
	if err := b.Build(context.Background(), nil, 1); err != nil {
		t.Fatal(err)
	}
	if n.ended["high"] == "up to date" {
		t.Error("force did not build")
	}
	if again := digests(t, first, stores[0]); again["high"] != one["high"] {
		t.Errorf("forced: %s, want %s", again["high"], one["high"])
	}
}

func image(t *testing.T, b *Builder, name string) v1.Image {
	t.Helper()
	d, err := b.store.entry(name)
	if err != nil || d == nil {
		t.Fatalf("%s: %v, %v", name, d, err)
	}
	img, err := b.store.image(d)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImageConfig(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	outcomes(t, root, store)
	b, _ := open(t, root, store)
	conf, err := image(t, b, "low").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if conf.OS != "linux" || conf.Architecture != "amd64" || !conf.Created.Time.Equal(epoch) || conf.Config.WorkingDir != "/w" {
		t.Errorf("config %+v", conf)
	}
	if got := conf.Config.Labels["org.mobyproject.config"]; got != `{"capabilities":["CAP_SYS_BOOT"],"pid":"host"}` {
		t.Errorf("label %s", got)
	}
	img := image(t, b, "high")
	conf, err = img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := conf.Config
	if !slices.Equal(c.Entrypoint, []string{"/bin/hello"}) || c.Cmd != nil || !slices.Equal(c.Env, []string{"A=1"}) {
		t.Errorf("entrypoint %q, cmd %q, env %q: want its own, none, and the base's", c.Entrypoint, c.Cmd, c.Env)
	}
	if c.Labels["mine"] != "yes" || c.Labels["org.mobyproject.config"] != "" || c.Labels[labelTitle] != "slipway/high" {
		t.Errorf("labels %v", c.Labels)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	tree := topLayer(t, img)
	if len(tree["bin/hello"].Data) < 1000 || tree["bin/hello"].Perm != 0o755 {
		t.Errorf("upper layer has %d entries", len(tree))
	}
}

// topLayer reads the last layer of an image.
func topLayer(t *testing.T, img v1.Image) Tree {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tree, err := ReadTar(r)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestBuildFailures(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	write(t, root, map[string]string{
		"images/bad/image.yml":    "about: x\ncontents: [{program: {package: ./cmd/nosuch, to: /init}}]\n",
		"images/child/image.yml":  "about: x\nfrom: bad\ncontents: [{folders: [/x]}]\n",
		"images/wrong/image.yml":  "about: x\ncontents: [{program: {package: ./cmd/wrong, to: /wrong}}]\n",
		"cmd/wrong/main.go":       "package main\n\nfunc main() { undefined() }\n",
		"images/nofile/image.yml": "about: x\ncontents: [{files: {/a: gone}}]\n",
	})
	b, n := open(t, root, store)
	err := b.Build(context.Background(), nil, 2)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"build image bad: " + filepath.Join(root, "images/bad/image.yml:2:13: contents[0].program: build /init: there is no ") + filepath.Join(root, "cmd/nosuch"),
		"build image child: its base bad was not built",
		"image.yml:2:13: contents[0].program: build /wrong: ", "undefined: undefined",
		"image.yml:2:13: contents[0].files: add /a: ", "images/nofile/gone",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if !strings.HasPrefix(n.ended["high"], "built") {
		t.Errorf("high %q: one failure must not keep the others from being built", n.ended["high"])
	}
	if err := b.Build(context.Background(), []string{"nosuch"}, 1); !errors.Is(err, ErrUnknownImage) || !strings.Contains(err.Error(), "extra high low") {
		t.Errorf("error %v: want ErrUnknownImage and the names there are", err)
	}
}

func TestBaseFaults(t *testing.T) {
	for want, recipe := range map[string]string{
		"from: no image gone":        "about: x\nfrom: gone\n",
		"from: comes back to itself": "about: x\nfrom: low\n",
	} {
		root := repository(t)
		write(t, root, map[string]string{"images/low/image.yml": recipe})
		t.Setenv("SLIPWAY_STORE", t.TempDir())
		t.Setenv("SLIPWAY_CACHE", t.TempDir())
		b := &Builder{Root: root, Arch: "amd64"}
		err := b.Open()
		if err == nil {
			err = b.Build(context.Background(), nil, 1)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// An interrupted build leaves nothing in the store and no temporary directory, and
// a later one goes on.
func TestBuildInterrupted(t *testing.T) {
	root, store := repository(t), filepath.Join(t.TempDir(), "store")
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	b, n := open(t, root, store)
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("interrupted by the test")
	n.onStep = func(image, what string) {
		if image == "high" && strings.HasPrefix(what, "compiling") {
			cancel(stop)
		}
	}
	if err := b.Build(ctx, nil, 2); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	have := digests(t, root, store)
	if have["low"] == "" || have["high"] != "" {
		t.Errorf("store has %v, want low alone", have)
	}
	left, err := filepath.Glob(filepath.Join(tmp, ".slipway-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if got := outcomes(t, root, store); got != "high built; low up to date" {
		t.Errorf("afterwards: %s", got)
	}
}
