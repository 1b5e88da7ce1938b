package images

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A goPackage is what `go list` says of one package, as far as it decides what
// comes out of the compiler.
type goPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	Module     *struct {
		Path, Version string
		Main          bool
	}
	GoFiles, CgoFiles, CFiles, HFiles, SFiles, EmbedFiles []string
}

// goInputs lists what a program of the module in dir is made of: the sums of
// this module's own files, the versions of other modules, the Go release.
func goInputs(ctx context.Context, dir, pkg string, env []string) ([]string, error) {
	version, err := command{dir: dir, env: env, args: []string{"go", "version"}}.output(ctx)
	if err != nil {
		return nil, err
	}
	lines := []string{"compiler " + strings.TrimSpace(string(version))}
	out, err := command{dir: dir, env: env, args: []string{"go", "list", "-deps", "-json=ImportPath,Dir,Standard,Module,GoFiles,CgoFiles,CFiles,HFiles,SFiles,EmbedFiles", pkg}}.output(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, fmt.Errorf("read answer of go list: %w", err)
		}
		more, err := p.inputs()
		if err != nil {
			return nil, err
		}
		for _, line := range more {
			if !seen[line] {
				seen[line] = true
				lines = append(lines, line)
			}
		}
	}
}

func (p *goPackage) inputs() ([]string, error) {
	switch {
	case p.Standard:
		return nil, nil // The Go release stands for it.
	case p.Module != nil && !p.Module.Main && p.Module.Version != "":
		return []string{"module " + p.Module.Path + "@" + p.Module.Version}, nil
	}
	var lines []string
	for _, list := range [][]string{p.GoFiles, p.CgoFiles, p.CFiles, p.HFiles, p.SFiles, p.EmbedFiles} {
		for _, name := range list {
			data, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf("source %s/%s %x", p.ImportPath, name, sha256.Sum256(data)))
		}
	}
	return lines, nil
}
