// Package version tells what a program of this project was built from: tag, commit, and
// whether the tree was as that commit has it. The compiler notes all of it in the
// program where it builds in a clone (go help buildvcs); nothing is written down here.
package version

import (
	"runtime/debug"
	"strings"
)

// Info is what is known of a program.
type Info struct {
	// Version is the tag of the commit, such as v0.2.0; without one what Go makes of
	// the tag before it (v0.2.1-0.TIME-COMMIT); "devel" if that is not known.
	Version string
	// Commit is the whole hash; "" if not known, as outside of a clone.
	Commit string
	// Changed tells that files were not as the commit has them.
	Changed bool
}

// This is of the program that runs.
func This() Info {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		b = &debug.BuildInfo{}
	}
	return Of(b)
}

// Of reads what the compiler noted.
func Of(b *debug.BuildInfo) Info {
	i := Info{Version: strings.TrimSuffix(b.Main.Version, "+dirty")}
	if i.Version == "" || i.Version == "(devel)" {
		i.Version = "devel"
	}
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.modified":
			i.Changed = s.Value == "true"
		}
	}
	return i
}

// Tree is "clean" or "changed"; "" if it is not known.
func (i Info) Tree() string {
	switch {
	case i.Commit == "":
		return ""
	case i.Changed:
		return "changed"
	}
	return "clean"
}

// String is one line for people.
func (i Info) String() string {
	if i.Commit == "" {
		return i.Version + ", commit not known"
	}
	return i.Version + ", commit " + i.Commit[:min(len(i.Commit), 12)] + ", " + i.Tree() + " tree"
}
