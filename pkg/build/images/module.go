package images

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// module builds a command of a Go module, which comes through the Go module
// proxy and must have the sum that the recipe pins.
type module struct {
	Module  string `yaml:"module" need:"the path of a Go module"`
	Version string `yaml:"version" need:"a version, such as v1.2.3"`
	Sum     string `yaml:"sum" need:"the line of go.sum for the module itself, from h1: on"`
	Package string `yaml:"package" need:"a directory of the module, such as ./cmd/ctr; . is its root"`
	To      string `yaml:"to" need:"a path in the image"`
	Tags    string `yaml:"tags"`
	// Set gives string variables of the program a value: "main.version=1".
	Set []string `yaml:"set"`
	// Cgo links C libraries statically. Libraries are their names for pkg-config
	// and the Debian packages that hold them: on a machine of the image's
	// architecture they are installed, for another one they are fetched.
	Cgo       bool              `yaml:"cgo"`
	Libraries map[string]string `yaml:"libraries"`
}

func (m *module) env(s *site) []string {
	cgo := "CGO_ENABLED=0"
	if m.Cgo {
		cgo = "CGO_ENABLED=1"
	}
	return []string{cgo, "GOOS=linux", "GOARCH=" + s.arch, "GOWORK=off"}
}

func (m *module) inputs(ctx context.Context, s *site) ([]string, error) {
	s.from(m.Module + "@" + m.Version)
	// The recipe names version and sum, so the module itself need not be there.
	lines, err := answer(ctx, "go", "version")
	if err == nil && m.Cgo {
		var more []string
		more, err = m.cgoInputs(ctx, s)
		lines = append(lines, more...)
	}
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", m.To, err)
	}
	return lines, nil
}

// answer is what a program says of itself, as a line for the inputs.
func answer(ctx context.Context, args ...string) ([]string, error) {
	out, err := command{args: args}.output(ctx)
	if err != nil {
		return nil, err
	}
	return []string{strings.Join(args, " ") + ": " + strings.TrimSpace(string(out))}, nil
}

func (m *module) apply(ctx context.Context, s *site, t Tree) error {
	data, err := m.build(ctx, s)
	if err != nil {
		return fmt.Errorf("build %s: %w", m.To, err)
	}
	t.AddFile(m.To, 0o755, data)
	return nil
}

func (m *module) build(ctx context.Context, s *site) (data []byte, err error) {
	from, err := m.download(ctx, s)
	if err != nil {
		return nil, err
	}
	// The module cache is read-only and shared: build in a copy, where the
	// module is the main module and its own go.sum pins what it needs.
	err = inScratch("", func(tmp string) error {
		if err := os.CopyFS(tmp, os.DirFS(from)); err != nil {
			return fmt.Errorf("copy module %s: %w", m.Module, err)
		}
		s.say("compiling %s of %s@%s", m.Package, m.Module, m.Version)
		env, err := m.cgoEnv(ctx, s, filepath.Join(tmp, ".libraries"))
		if err != nil {
			return err
		}
		data, err = goBuild(ctx, tmp, m.Package, append(m.env(s), env...), "-tags="+m.Tags, "-ldflags="+m.ldflags())
		return err
	})
	return data, err
}

func (m *module) ldflags() string {
	flags := []string{"-s", "-w", "-buildid="}
	for _, v := range m.Set {
		flags = append(flags, "-X", v)
	}
	if m.Cgo {
		flags = append(flags, "-linkmode external", "-extldflags '-static -Wl,--build-id=none'")
	}
	return strings.Join(flags, " ")
}

// download returns the module's directory in the module cache, with the sum
// verified. When the cache holds it no network is needed.
func (m *module) download(ctx context.Context, s *site) (string, error) {
	s.say("downloading %s@%s", m.Module, m.Version)
	out, err := command{dir: os.TempDir(), env: []string{"GOWORK=off"}, args: []string{"go", "mod", "download", "-json", m.Module + "@" + m.Version}}.output(ctx)
	var got struct{ Dir, Sum, Error string }
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return "", fmt.Errorf("read answer of go mod download: %w", err)
	}
	if got.Error != "" {
		return "", fmt.Errorf("download %s@%s: %s", m.Module, m.Version, got.Error)
	}
	if got.Sum != m.Sum {
		return "", fmt.Errorf("download %s@%s: sum is %s, the recipe wants %s", m.Module, m.Version, got.Sum, m.Sum)
	}
	return got.Dir, nil
}
