// Package sbom says what a machine is made of, as an SPDX document: the images
// with their digests, and in each the packages that its databases list, the
// modules of its Go programs, what its recipe says it was made of, and what an
// SPDX document of its own tells.
//
// It reads the trees that pkg/build lays out and nothing else, so the same
// machine gives the same document.
package sbom

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/pkg/build/tree"
)

// Image is an image that went into the machine.
type Image struct {
	Name   string
	Digest string
	Arch   string   // amd64, arm64, ...
	Used   []string // places in the YAML, such as "services[0]"
	// Sources is the text of oci.SourcesLabel.
	Sources string
	// Tree is its files; nil if they are carried unread.
	Tree *tree.Tree
}

// Package is a piece of software in an image.
type Package struct {
	Type    string // of its package URL: deb, apk, golang; empty if not known
	Vendor  string // distribution, such as debian
	Name    string
	Version string
	Arch    string
	License string
	// PURL is a package URL that is known already.
	PURL string
}

// maxDatabase bounds what is read of an image into memory.
const maxDatabase = 64 << 20

// errTooLarge is a list of packages that nobody's image has.
var errTooLarge = fmt.Errorf("more than %d MB", maxDatabase>>20)

// Packages lists the software in an image, sorted, each once.
func (i Image) Packages() ([]Package, error) {
	all := sources(i)
	if i.Tree == nil {
		return sorted(all), nil
	}
	var errs []error
	for _, read := range []func(Image) ([]Package, error){dpkg, apk, programs, documents} {
		found, err := read(i)
		errs = append(errs, err)
		all = append(all, found...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("list packages of image %s: %w", i.Name, err)
	}
	return sorted(all), nil
}

// sources reads "busybox-static=1:1.35.0-4, example.org/module@v1.2.3".
func sources(i Image) []Package {
	var list []Package
	for word := range strings.SplitSeq(i.Sources, ",") {
		word = strings.TrimSpace(word)
		if name, version, ok := strings.Cut(word, "="); ok {
			list = append(list, Package{Type: "deb", Vendor: "debian", Name: name, Version: version, Arch: i.Arch})
		} else if name, version, ok := strings.Cut(word, "@"); ok {
			list = append(list, Package{Type: "golang", Name: name, Version: version})
		}
	}
	return list
}

func sorted(list []Package) []Package {
	slices.SortFunc(list, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.purl(), b.purl()), -cmp.Compare(a.License, b.License))
	})
	return slices.CompactFunc(list, func(a, b Package) bool {
		return a.Name == b.Name && a.Version == b.Version && a.purl() == b.purl()
	})
}

// text reads a whole file of an image; "" if it is not there.
func text(t *tree.Tree, path string) (string, error) {
	n := t.Resolve(path)
	if n == nil || n.Inode == nil {
		return "", nil
	}
	if n.Inode.Size > maxDatabase {
		return "", fmt.Errorf("read %s: %w", path, errTooLarge)
	}
	data, err := io.ReadAll(n.Inode.Open())
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return string(data), nil
}
