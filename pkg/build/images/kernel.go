package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"strings"
)

// kernel takes a kernel and chosen modules out of a Debian package and adds
// them as LinuxKit's kernel images have them: /kernel, and /kernel.tar with
// lib/modules.
type kernel struct {
	// Package is the Debian package that depends on the newest kernel; $ARCH in
	// it is the architecture.
	Package string        `yaml:"package"`
	Modules []moduleGroup `yaml:"modules"`
}

// moduleGroup is modules that are wanted for one reason.
type moduleGroup struct {
	Why   string   `yaml:"why"`
	Names []string `yaml:"names"`
	// Optional modules may be missing; for others that is an error, so that a
	// misspelt name does not go unseen.
	Optional bool `yaml:"optional"`
}

func (k *kernel) fetch(ctx context.Context, s *site) (deb, error) {
	return s.apt.fetch(ctx, strings.ReplaceAll(k.Package, "$ARCH", s.arch), s.arch, "linux-image-")
}

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
	return []string{s.use(got), "depmod " + version}, nil
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
	chosen, err := all.choose(k.Modules)
	if err != nil {
		return fmt.Errorf("choose modules of %s: %w", got, err)
	}
	modules, err := indexed(ctx, all.tree(content, chosen), release)
	if err != nil {
		return fmt.Errorf("index modules of %s: %w", got, err)
	}
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
