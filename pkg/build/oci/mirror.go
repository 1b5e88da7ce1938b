package oci

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Mirrors are registries to ask instead of others, by host. The host "*" stands
// for all that are not named.
type Mirrors map[string]string

// ParseMirrors reads HOST=MIRROR, or MIRROR alone for docker.io. A mirror is a
// host, with http:// before it if it speaks no TLS.
func ParseMirrors(list []string) (Mirrors, error) {
	m := Mirrors{}
	for _, text := range list {
		host, mirror, ok := strings.Cut(text, "=")
		if !ok {
			host, mirror = "docker.io", text
		}
		if _, err := mirrorRegistry(mirror); err != nil || host == "" {
			return nil, fmt.Errorf("mirror %q: want HOST=MIRROR, such as docker.io=mirror.example:5000", text)
		}
		m[host] = mirror
	}
	return m, nil
}

func mirrorRegistry(mirror string) (name.Registry, error) {
	var options []name.Option
	if strings.HasPrefix(mirror, "http://") {
		options = append(options, name.Insecure)
	}
	mirror = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(mirror, "http://"), "https://"), "/")
	if mirror == "" || strings.ContainsAny(mirror, "=/@ ") {
		return name.Registry{}, fmt.Errorf("%q is no host", mirror)
	}
	return name.NewRegistry(mirror, options...)
}

// reference is where to fetch an image: in its own registry, or in a mirror
// under the same path.
func (m Mirrors) reference(full string) (name.Reference, error) {
	ref, err := name.ParseReference(full)
	if err != nil {
		return nil, err
	}
	host, _, _ := strings.Cut(full, "/")
	mirror := cmp.Or(m[host], m["*"])
	if mirror == "" {
		return ref, nil
	}
	registry, err := mirrorRegistry(mirror)
	if err != nil {
		return nil, fmt.Errorf("mirror %q: %w", mirror, err)
	}
	repo := registry.Repo(ref.Context().RepositoryStr())
	if d, ok := ref.(name.Digest); ok {
		return repo.Digest(d.DigestStr()), nil
	}
	return repo.Tag(ref.Identifier()), nil
}
