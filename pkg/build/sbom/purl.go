package sbom

import (
	"net/url"
	"path"
	"strings"
)

// A package URL names a package of any kind in one line: pkg:TYPE/NAMESPACE/
// NAME@VERSION?QUALIFIERS (https://github.com/package-url/purl-spec).

// purl is empty for software of no known kind.
func (p Package) purl() string {
	if p.PURL != "" || p.Type == "" {
		return p.PURL
	}
	name := p.Name
	if p.Vendor != "" {
		name = p.Vendor + "/" + name
	}
	s := "pkg:" + p.Type + "/" + escapePath(name)
	if p.Version != "" {
		s += "@" + escape(p.Version)
	}
	if p.Arch != "" {
		s += "?arch=" + escape(p.Arch)
	}
	return s
}

// purl of an image has its digest as version and its repository beside it.
func (i Image) purl() string {
	repository, _, pinned := strings.Cut(i.Name, "@")
	tag := ""
	if at := strings.LastIndexByte(repository, ':'); at > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:at], repository[at+1:]
	}
	values := url.Values{"arch": {i.Arch}, "repository_url": {repository}}
	if tag != "" && !pinned {
		values.Set("tag", tag)
	}
	return "pkg:oci/" + escape(strings.ToLower(path.Base(repository))) + "@" + escape(i.Digest) + "?" + values.Encode()
}

func escape(s string) string { return url.QueryEscape(s) }

func escapePath(s string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return strings.Join(parts, "/")
}
