package images

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/build/input"
)

// A step puts something into the tree of an image.
type step interface {
	// inputs says what the outcome depends on beside the recipe's own text, one
	// line for each. It may download, for only then is a version known.
	inputs(ctx context.Context, s *site) ([]string, error)
	// apply puts it into the tree.
	apply(ctx context.Context, s *site, t Tree) error
}

// folders are paths, each with permissions before it where they are not 0755:
// "1777 /tmp".
type folders []string

func (f folders) inputs(context.Context, *site) ([]string, error) { return nil, nil }

func (f folders) apply(_ context.Context, _ *site, t Tree) error {
	for _, entry := range f {
		perm, name, err := permissions(entry)
		if err != nil {
			return fmt.Errorf("directory %s: %w", entry, err)
		}
		t.AddDirectory(name, cmp.Or(perm, 0o755))
	}
	return nil
}

// files maps paths in the image to files beside the recipe. A file that can be
// executed there can be executed in the image; git keeps no other permission, so
// those can be named before it: "0600 shadow".
type files map[string]string

func (f files) inputs(_ context.Context, s *site) ([]string, error) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		data, perm, err := f.read(s, name)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("file %s %o %x", name, perm, sha256.Sum256(data)))
	}
	return lines, nil
}

func (f files) apply(_ context.Context, s *site, t Tree) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		data, perm, err := f.read(s, name)
		if err != nil {
			return err
		}
		t.AddFile(name, perm, data)
	}
	return nil
}

func (f files) read(s *site, name string) ([]byte, int64, error) {
	perm, from, err := permissions(f[name])
	if err != nil {
		return nil, 0, fmt.Errorf("add %s: %w", name, err)
	}
	from, info, err := below(s.recipe.Dir, from)
	if err != nil {
		return nil, 0, fmt.Errorf("add %s: %w", name, err)
	}
	data, err := input.Read(from, maxFile)
	if err != nil {
		return nil, 0, fmt.Errorf("add %s: %w", name, err)
	}
	switch {
	case perm != 0:
	case info.Mode()&0o100 != 0:
		perm = 0o755
	default:
		perm = 0o644
	}
	return data, perm, nil
}

// below finds what a recipe names in a directory, by no way or link that leads out of it: a
// recipe may be somebody else's, and the image goes to others still.
func below(dir, name string) (string, fs.FileInfo, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = root.Close() }() // only looked in
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("there is no %s", filepath.Join(dir, name))
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w; want what lies in %s", err, dir)
	}
	return filepath.Join(dir, name), info, nil
}

// permissions splits "1777 /tmp"; with none before the name they are 0.
func permissions(entry string) (int64, string, error) {
	mode, name, ok := strings.Cut(entry, " ")
	if !ok {
		return 0, entry, nil
	}
	perm, err := strconv.ParseInt(mode, 8, 64)
	if err != nil || perm < 1 || perm > 0o7777 {
		return 0, "", fmt.Errorf("permissions %q: want an octal number", mode)
	}
	return perm, strings.TrimSpace(name), nil
}

// links maps the target of symbolic links to the links: names with a trailing
// slash begin a directory that the names after it are in, so that hundreds of
// applets are a few lines.
//
//	busybox: [/bin/ cat ls, /usr/bin/env]
type links map[string]linkNames

type linkNames []string

func (l links) inputs(context.Context, *site) ([]string, error) { return nil, nil }

func (l links) apply(_ context.Context, _ *site, t Tree) error {
	for target, names := range l {
		for _, name := range names.expand() {
			t.AddLink(name, target)
		}
	}
	return nil
}

// expand resolves "/bin/ cat ls" to /bin/cat and /bin/ls.
func (n linkNames) expand() []string {
	var out []string
	for _, entry := range n {
		words := strings.Fields(entry)
		if len(words) > 1 && strings.HasSuffix(words[0], "/") {
			for _, w := range words[1:] {
				out = append(out, path.Join(words[0], w))
			}
			continue
		}
		out = append(out, words...)
	}
	return out
}
