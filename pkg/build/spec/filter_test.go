package spec

import (
	"strings"
	"testing"

	"slipway/pkg/build/filter"
	"slipway/pkg/build/yml"
)

// The default filter of every container is compiled, whatever it may do: no name of
// Docker's profile is missing in the tables.
func TestDefaultFiltersAreCompiled(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, bounding := range [][]string{nil, {"CAP_NET_ADMIN"}, yml.Capabilities[:len(yml.Capabilities)/2], yml.Capabilities} {
			tr := translator{c: &yml.Container{}, arch: arch, bounding: bounding}
			if program, ok := filter.Compile(tr.resolveSeccomp(tr.defaultProfile(false))); !ok || len(program) > 2000 {
				t.Errorf("%s, %s: %t, %d bytes", arch, strings.Join(bounding, " "), ok, len(program))
			}
		}
	}
}
