package images

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A crossTarget is what Debian's C compiler for another architecture is called.
type crossTarget struct{ triplet, pkg string }

var crossTargets = map[string]crossTarget{
	"amd64": {"x86_64-linux-gnu", "gcc-x86-64-linux-gnu"},
	"arm64": {"aarch64-linux-gnu", "gcc-aarch64-linux-gnu"},
}

// native says that the machine's own compiler and libraries do.
func (s *site) native() bool { return s.arch == s.apt.arch }

// gcc is the C compiler for the image's architecture.
func (s *site) gcc() string {
	if s.native() {
		return "gcc"
	}
	return crossTargets[s.arch].triplet + "-gcc"
}

// cgoInputs are the versions of the C compiler and of the libraries.
func (m *module) cgoInputs(ctx context.Context, s *site) ([]string, error) {
	if s.native() {
		lines, err := answer(ctx, "gcc", "-dumpfullversion")
		for _, lib := range slices.Sorted(maps.Keys(m.Libraries)) {
			if err != nil {
				return nil, err
			}
			var more []string
			more, err = answer(ctx, "pkg-config", "--modversion", lib)
			lines = append(lines, more...)
		}
		return lines, err
	}
	lines, err := answer(ctx, s.gcc(), "-dumpfullversion")
	if err != nil {
		return nil, fmt.Errorf("%w: for %s it takes Debian's %s", err, s.arch, crossTargets[s.arch].pkg)
	}
	for _, pkg := range slices.Sorted(maps.Values(m.Libraries)) {
		d, err := s.apt.fetch(ctx, pkg, s.arch, "")
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("deb %s %s %s", d, d.Arch, d.SHA256))
	}
	return lines, nil
}

// cgoEnv is the environment in which cgo finds the compiler and the libraries.
// Those of another architecture are unpacked in dir.
func (m *module) cgoEnv(ctx context.Context, s *site, dir string) ([]string, error) {
	if !m.Cgo || s.native() {
		return nil, nil
	}
	for _, pkg := range slices.Sorted(maps.Values(m.Libraries)) {
		d, err := s.apt.fetch(ctx, pkg, s.arch, "")
		if err != nil {
			return nil, err
		}
		content, err := s.apt.tree(ctx, d)
		if err != nil {
			return nil, err
		}
		// Documentation is of no use, and a static library needs no links.
		maps.DeleteFunc(content, func(name string, _ Entry) bool { return strings.HasPrefix(name, "usr/share/") })
		if err := content.writeFiles(dir); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", d, err)
		}
	}
	return crossEnv(crossTargets[s.arch].triplet, dir), nil
}

// crossEnv has cgo take a compiler and the libraries unpacked in dir.
func crossEnv(triplet, dir string) []string {
	lib := filepath.Join(dir, "usr/lib", triplet)
	return []string{
		"CC=" + triplet + "-gcc",
		"PKG_CONFIG_SYSROOT_DIR=" + dir,
		"PKG_CONFIG_LIBDIR=" + filepath.Join(lib, "pkgconfig"),
		// What pkg-config says is no part of the key of Go's build cache, which
		// would link with the directory of an earlier build. These flags are.
		"CGO_LDFLAGS=-O2 -g -L" + lib,
	}
}
