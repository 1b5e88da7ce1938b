package oci

import (
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ownPrefix is of the names of our own images as they are written, without a
// registry.
const ownPrefix = "slipway/"

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
