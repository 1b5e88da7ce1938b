package oci

import (
	"fmt"
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

// localPrefix is of names that are this machine's, as podman has them: a registry
// there has a port or another name.
const localPrefix = "localhost/"

// hasNoRegistry tells whether no registry is asked for a name.
func hasNoRegistry(name string) bool { return isOwn(name) || strings.HasPrefix(name, localPrefix) }

// howMade says what makes an image for which no registry is asked; "" for any other.
func howMade(name string, platform v1.Platform) string {
	command := "slipway images build "
	if platform.Architecture != runtime.GOARCH {
		command += "--platform " + platform.String() + " "
	}
	switch own, _, _ := strings.Cut(strings.TrimPrefix(name, ownPrefix), "@"); {
	case isOwn(name):
		own, _, _ = strings.Cut(own, ":")
		return fmt.Sprintf("it is one of our own, and `%s` makes %s", command+own, made(name))
	case hasNoRegistry(name):
		return fmt.Sprintf("names of %s are this machine's, and `%s--recipe DIR` makes it of a recipe", localPrefix, command)
	}
	return ""
}

// made is what the command makes of one of our own: it, or the tag that there is.
func made(name string) string {
	base, _, _ := strings.Cut(name, "@")
	short, _, _ := strings.Cut(base, ":")
	if present := short + ":" + ours.ImageTag; base != present {
		return present
	}
	return "it"
}
