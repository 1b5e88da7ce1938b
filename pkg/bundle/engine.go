package bundle

import (
	"errors"
	"path"
	"slices"
)

// Runtimes are the OCI runtimes that are known by name, the one preferred where a
// machine has several first.
var Runtimes = []string{"runc", "crun"}

// ParseRuntime reads the name of a runtime or the path of its program, as annotation and
// kernel command line have it.
func ParseRuntime(v string) (string, error) {
	if slices.Contains(Runtimes, v) || path.IsAbs(v) && path.Clean(v) == v && v != "/" {
		return v, nil
	}
	return "", errors.New("want runc, crun, or the absolute path of an OCI runtime's program")
}

// RuntimeProgram is where an image has the program of a runtime that ParseRuntime has
// read.
func RuntimeProgram(v string) string {
	if path.IsAbs(v) {
		return v
	}
	return "/usr/bin/" + v
}
