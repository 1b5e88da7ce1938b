package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// debian takes files out of a Debian package.
type debian struct {
	Package string `yaml:"package" need:"the name of a package of Debian, such as nginx"`
	// Files is path in the image: path in the package, or a pattern that one
	// path matches, for names that differ by architecture.
	Files map[string]string `yaml:"files" need:"path in the image: path in the package, such as {/usr/sbin/nginx: /usr/sbin/nginx}"`
	// Libraries adds what these programs are linked against, where the loader looks
	// for it: the files of other packages too.
	Libraries bool `yaml:"libraries"`
	// StandIns are shared libraries of which the programs call nothing in this image (standin.go).
	StandIns []string `yaml:"stand-ins"`
}

func (d *debian) fetch(ctx context.Context, s *site) (deb, error) {
	return s.apt.fetch(ctx, d.Package, s.arch, "")
}

func (d *debian) inputs(ctx context.Context, s *site) ([]string, error) {
	got, err := d.fetch(ctx, s)
	if err != nil {
		return nil, err
	}
	lines := []string{s.use(got)}
	if !d.Libraries {
		return lines, nil
	}
	used, err := d.add(ctx, s, got, Tree{})
	for _, u := range used {
		lines = append(lines, s.use(u))
	}
	if err == nil && len(d.StandIns) > 0 {
		var compiler []string
		compiler, err = answer(ctx, s.gcc(), "-dumpfullversion")
		lines = append(lines, compiler...)
	}
	return lines, err
}

func (d *debian) apply(ctx context.Context, s *site, t Tree) error {
	got, err := d.fetch(ctx, s)
	if err == nil {
		_, err = d.add(ctx, s, got, t)
	}
	return err
}

// add adds the files, and returns the packages that their libraries came from.
func (d *debian) add(ctx context.Context, s *site, got deb, t Tree) ([]deb, error) {
	content, err := s.apt.tree(ctx, got)
	if err != nil {
		return nil, err
	}
	for _, to := range slices.Sorted(maps.Keys(d.Files)) {
		from := d.Files[to]
		e, err := matching(content, clean(from))
		if err != nil {
			return nil, fmt.Errorf("add %s: %s holds %w %s", to, got, err, from)
		}
		if err := t.addBeside(to, e, crossTargets[s.arch].triplet); err != nil {
			return nil, err
		}
	}
	if !d.Libraries {
		return nil, nil
	}
	return d.closure(ctx, s, got, t)
}

// matching returns the one regular file that a path or pattern names.
func matching(content Tree, pattern string) (Entry, error) {
	if e, ok := content[pattern]; ok && e.Type == tar.TypeReg {
		return e, nil
	}
	var found []Entry
	for name, e := range content {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return Entry{}, fmt.Errorf("no file: %w:", err)
		}
		if ok && e.Type == tar.TypeReg {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, errors.New("no file")
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%d files", len(found))
}
