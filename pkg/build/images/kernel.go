package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// kernel takes a kernel and chosen modules out of a Debian package and adds
// them as LinuxKit's kernel images have them: /kernel, and /kernel.tar with
// lib/modules.
type kernel struct {
	// Package is the Debian package that depends on the newest kernel; $ARCH in
	// it is the architecture.
	Package string `yaml:"package" need:"a package of Debian, such as linux-image-cloud-$ARCH"`
	// Like names a recipe of ours with a kernel, whose modules are wanted as well.
	Like    string        `yaml:"like"`
	Modules []moduleGroup `yaml:"modules"`
}

// moduleGroup is modules that are wanted for one reason.
type moduleGroup struct {
	Why   string   `yaml:"why"`
	Names []string `yaml:"names" need:"names of modules"`
	// Optional modules may be missing; for others that is an error, so that a
	// misspelt name does not go unseen.
	Optional bool `yaml:"optional"`
}

func (k *kernel) fetch(ctx context.Context, s *site) (deb, error) {
	return s.apt.fetch(ctx, strings.ReplaceAll(k.Package, "$ARCH", s.arch), s.arch, "linux-image-")
}

// aliasesOf changes when withBehind does: an image is then built anew.
const aliasesOf = "aliases of what is behind: 1"

func (k *kernel) inputs(ctx context.Context, s *site) ([]string, error) {
	got, err := k.fetch(ctx, s)
	if err != nil {
		return nil, err
	}
	depmod, err := depmodCommand("--version").output(ctx)
	if err != nil {
		return nil, err
	}
	version, _, _ := strings.Cut(string(depmod), "\n")
	lines := []string{s.use(got), "depmod " + version, aliasesOf}
	if k.Like != "" {
		groups, err := k.groups(s)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("modules %+v", groups))
	}
	return lines, nil
}

// groups are the modules that are wanted, those of the recipe that this one is
// like first.
func (k *kernel) groups(s *site) ([]moduleGroup, error) {
	if k.Like == "" {
		return k.Modules, nil
	}
	dir, _, err := below(s.images, k.Like)
	var other *Recipe
	if err == nil {
		other, err = LoadRecipe(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("like %s: %w", k.Like, err)
	}
	for _, c := range other.Contents {
		if c.Kernel != nil && c.Kernel.Like == "" {
			return slices.Concat(c.Kernel.Modules, k.Modules), nil
		}
	}
	return nil, fmt.Errorf("like %s: that recipe has no kernel with a list of its own", k.Like)
}

func (k *kernel) apply(ctx context.Context, s *site, t Tree) error {
	got, err := k.fetch(ctx, s)
	if err != nil {
		return err
	}
	s.say("unpacking %s", got)
	content, err := s.apt.tree(ctx, got)
	if err != nil {
		return err
	}
	release, image, err := findKernel(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", got, err)
	}
	s.say("choosing modules of %s", release)
	all, err := readModules(content, release)
	if err != nil {
		return fmt.Errorf("read modules of %s: %w", got, err)
	}
	groups, err := k.groups(s)
	if err != nil {
		return err
	}
	chosen, err := all.choose(groups)
	if err != nil {
		return fmt.Errorf("choose modules of %s: %w", got, err)
	}
	modules, err := indexed(ctx, all.tree(content, chosen), release)
	if err != nil {
		return fmt.Errorf("index modules of %s: %w", got, err)
	}
	aliases := path.Join(all.dir, "modules.alias")
	text, err := withBehind(string(modules[aliases].Data), chosen, all.needs)
	if err != nil {
		return err
	}
	modules.AddFile(aliases, 0o644, []byte(text))
	var packed bytes.Buffer
	if err := modules.WriteTar(&packed); err != nil {
		return fmt.Errorf("pack kernel.tar: %w", err)
	}
	t.AddFile("/kernel", 0o644, image)
	t.AddFile("/kernel.tar", 0o644, packed.Bytes())
	return nil
}

// findKernel returns the release ("6.1.0-56-cloud-amd64") and the image of the
// one kernel in a package.
func findKernel(t Tree) (release string, image []byte, err error) {
	for name, e := range t {
		r, ok := strings.CutPrefix(name, "boot/vmlinuz-")
		if !ok || e.Type != tar.TypeReg {
			continue
		}
		if release != "" {
			return "", nil, fmt.Errorf("two kernels: %s and %s", release, r)
		}
		release, image = r, e.Data
	}
	if release == "" {
		return "", nil, fmt.Errorf("no boot/vmlinuz-*")
	}
	return release, image, nil
}
