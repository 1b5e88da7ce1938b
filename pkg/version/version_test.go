package version

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
		tree     string
	}{
		{"v0.2.0", vcs("false"), "v0.2.0, commit 0123456789ab, clean tree", "clean"},
		{"v0.2.0+dirty", vcs("true"), "v0.2.0, commit 0123456789ab, changed tree", "changed"},
		{"v0.2.1-0.20261127070000-0123456789ab", vcs("false"), "v0.2.1-0.20261127070000-0123456789ab, commit 0123456789ab, clean tree", "clean"},
		{"v0.2.0", nil, "v0.2.0, commit not known", ""}, // of the module proxy
		{"(devel)", nil, "devel, commit not known", ""},
		{"", nil, "devel, commit not known", ""},
	} {
		i := Of(&debug.BuildInfo{Main: debug.Module{Version: c.version}, Settings: c.settings})
		if i.String() != c.want || i.Tree() != c.tree {
			t.Errorf("%s: got %q and %q, want %q and %q", c.version, i, i.Tree(), c.want, c.tree)
		}
	}
}
