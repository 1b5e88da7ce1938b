// Package oci finds images and reads them: in OCI layouts (directories or tars),
// in tars of "docker save", in the local store, and in registries.
//
// Images are named as in linuxkit.yml and looked up by their full name. What a
// registry gives is kept in the local store, blob by blob, so that a later
// build needs no network.
package oci

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// FullName writes an image name out as LinuxKit does: "alpine" is
// "docker.io/library/alpine:latest", "team/app:1" is
// "docker.io/team/app:1".
func FullName(name string) string {
	name = Expand(name)
	if last := name[strings.LastIndex(name, "/")+1:]; !strings.ContainsAny(last, ":@") {
		name += ":latest"
	}
	return name
}

// Expand is FullName without the tag that is not there.
func Expand(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case len(parts) == 1:
		name = "docker.io/library/" + name
	case len(parts) == 2 && !strings.ContainsAny(parts[0], ".:") && parts[0] != "localhost":
		name = "docker.io/" + name
	}
	return name
}

// Pinned is a name that means one digest, whatever it said before.
func Pinned(name, digest string) string {
	name, _, _ = strings.Cut(name, "@")
	return name + "@" + digest
}

// pinOf is the digest a full name ends with, "" if none.
func pinOf(full string) string {
	_, pin, _ := strings.Cut(full, "@")
	return pin
}

// architectures are those that Linux images are made for, by Go's names.
var architectures = []string{"amd64", "arm64", "arm", "386", "riscv64", "s390x", "ppc64le", "loong64", "mips64le"}

// ParsePlatform reads "linux/arm64", "arm64" or "linux/arm/v7".
func ParsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) == 1 {
		parts = []string{"linux", s}
	}
	if len(parts) > 3 || parts[0] != "linux" || parts[1] == "" {
		return v1.Platform{}, fmt.Errorf("platform %q: want linux/ARCH, such as linux/arm64", s)
	}
	p := v1.Platform{OS: "linux", Architecture: parts[1]}
	if alias := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[p.Architecture]; alias != "" {
		p.Architecture = alias
	}
	if !slices.Contains(architectures, p.Architecture) {
		if alias := aliases[p.Architecture].arch; alias != "" {
			return v1.Platform{}, fmt.Errorf("platform %q: that architecture is called %s", s, alias)
		}
		return v1.Platform{}, fmt.Errorf("platform %q: no image is for that architecture; those there are: %s", s, strings.Join(architectures, ", "))
	}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}
