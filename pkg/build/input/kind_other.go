//go:build !linux

package input

import "strings"

// isPipe goes by the names that shells give: no other system than Linux tells a
// pipe without a name from a FIFO.
func isPipe(name string) bool { return name == "/dev/stdin" || strings.HasPrefix(name, "/dev/fd/") }

// fromKernel tells nothing: only Linux has such files.
func fromKernel(string) bool { return false }
