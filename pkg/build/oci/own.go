package oci

import (
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	ours "slipway/pkg/version" // version is a function here
)

// ownPrefix is of the names of our own images as they are written, without a
// registry.
const ownPrefix = "slipway/"

// isOwn tells whether a name is of one of our own images, as it is written.
func isOwn(name string) bool { return strings.HasPrefix(name, ownPrefix) }

// Key is what tells images apart: the full name, but for our own images the name
// as it is written, with its tag. docker.io/slipway/init, written out, is an image of
// whoever publishes there, and slipway/init is ours.
func Key(name string) string {
	if isOwn(name) {
		return strings.TrimPrefix(FullName(name), "docker.io/")
	}
	return FullName(name)
}

// fetched tells whether an entry of a layout came from a registry under its name.
func fetched(d v1.Descriptor) bool { return d.Annotations[FetchedAnnotation] != "" }

// buildCommand is what makes one of our own images; "" for any other.
func buildCommand(name string, platform v1.Platform) string {
	own, ok := strings.CutPrefix(name, ownPrefix)
	if !ok {
		return ""
	}
	own, _, _ = strings.Cut(own, "@")
	own, _, _ = strings.Cut(own, ":")
	command := "slipway images build "
	if platform.Architecture != runtime.GOARCH {
		command += "--platform " + platform.String() + " "
	}
	return command + own
}

// made is what buildCommand makes of one of our own: it, or the tag that there is.
func made(name string) string {
	base, _, _ := strings.Cut(name, "@")
	short, _, _ := strings.Cut(base, ":")
	if present := short + ":" + ours.ImageTag; base != present {
		return present
	}
	return "it"
}
