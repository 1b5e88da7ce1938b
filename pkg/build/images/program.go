package images

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"slipway/pkg/version"
)

// program builds a command of this repository, or of the Go module around somebody
// else's recipe: static, with no cgo, no debugger
// tables and no trace of the directory it was built in.
type program struct {
	Package string `yaml:"package" need:"a directory of the Go module, such as ./cmd/app"`
	// To is the path in the image; "4755 /bin/x" with other permissions than 0755.
	To string `yaml:"to" need:"a path in the image"`
	// Also are other paths of the same file: hard links.
	Also []string `yaml:"also"`
	// Version has the compiler note tag, commit and state of the clone in the program,
	// which is another one then for each commit.
	Version bool `yaml:"version"`
}

func (p *program) env(s *site) []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + s.arch, "GOWORK=off"}
}

func (p *program) inputs(ctx context.Context, s *site) ([]string, error) {
	if s.root == "" {
		return nil, fmt.Errorf("build %s: neither %s nor a directory above it has a go.mod", p.To, s.recipe.Dir)
	}
	if _, _, err := below(s.root, p.Package); err != nil {
		return nil, fmt.Errorf("build %s: %w", p.To, err)
	}
	lines, err := goInputs(ctx, s.root, p.Package, p.env(s))
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", p.To, err)
	}
	if p.Version {
		lines = append(lines, vcsInputs(ctx, s.root)...)
		lines = append(lines, p.stamp(s))
	}
	return append(lines, smallPages(s)), nil
}

// smallPages is a default for $GODEBUG. Our programs' heaps are smaller than one
// huge page; the kernel would give PID 1 and the supervisor two of them each.
func smallPages(s *site) string {
	if !s.recipe.own() {
		return ""
	}
	return "-X runtime.godebugDefault=disablethp=1"
}

// stamp is a flag of the linker by which a program says the version of the tool that
// carried its sources; "" in the repository.
func (p *program) stamp(s *site) string {
	if !p.Version || s.version == (version.Info{}) {
		return ""
	}
	return " -X '" + version.Variable + "=" + s.version.Text() + "'"
}

func (p *program) apply(ctx context.Context, s *site, t Tree) error {
	s.say("compiling %s", p.Package)
	flags := []string{"-ldflags=-s -w -buildid= " + smallPages(s) + p.stamp(s)}
	if p.Version && vcsInputs(ctx, s.root) != nil {
		flags = append(flags, "-buildvcs=true")
	}
	data, err := goBuild(ctx, s.root, p.Package, p.env(s), flags...)
	if err != nil {
		return fmt.Errorf("build %s: %w", p.To, err)
	}
	perm, name, err := permissions(p.To)
	if err != nil {
		return fmt.Errorf("build %s: %w", p.To, err)
	}
	t.AddFile(name, cmp.Or(perm, 0o755), data)
	for _, other := range p.Also {
		if clean(other) == clean(name) {
			return fmt.Errorf("build %s: also: %s is the program itself; want other paths", p.To, other)
		}
		t.AddHardLink(other, name)
	}
	return nil
}

// goBuild runs the compiler and returns the program. -buildvcs, unless it is among the
// flags, would make each commit another program.
func goBuild(ctx context.Context, dir, pkg string, env []string, flags ...string) (data []byte, err error) {
	err = inScratch("", func(tmp string) error {
		out := filepath.Join(tmp, "program")
		args := []string{"go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", out}
		args = append(append(args, flags...), pkg)
		if _, err := (command{dir: dir, env: env, args: args}).output(ctx); err != nil {
			return err
		}
		data, err = os.ReadFile(out)
		return err
	})
	return data, err
}
