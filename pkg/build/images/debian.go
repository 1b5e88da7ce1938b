package images

import (
	"archive/tar"
	"context"
	"fmt"
)

// debian takes files out of a Debian package.
type debian struct {
	Package string            `yaml:"package"`
	Files   map[string]string `yaml:"files"` // path in the image: path in the package
}

func (d *debian) fetch(ctx context.Context, s *site) (deb, error) {
	return s.apt.fetch(ctx, d.Package, s.arch, "")
}

func (d *debian) inputs(ctx context.Context, s *site) ([]string, error) {
	got, err := d.fetch(ctx, s)
	if err != nil {
		return nil, err
	}
	return []string{s.use(got)}, nil
}

func (d *debian) apply(ctx context.Context, s *site, t Tree) error {
	got, err := d.fetch(ctx, s)
	if err != nil {
		return err
	}
	content, err := s.apt.tree(ctx, got)
	if err != nil {
		return err
	}
	for to, from := range d.Files {
		e, ok := content[clean(from)]
		if !ok || e.Type != tar.TypeReg {
			return fmt.Errorf("add %s: %s holds no file %s", to, got, from)
		}
		t.AddFile(to, e.Perm, e.Data)
	}
	return nil
}
