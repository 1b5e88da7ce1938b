// Package version tells what a program of this project was built from: tag, commit, and
// whether the tree was as that commit has it. The compiler notes all of it in the
// program where it builds in a clone (go help buildvcs). What is written down here is the
// tag of images alone.
package version

import (
	"runtime/debug"
	"strings"
)

// ImageTag is that of our own images: the first two numbers of the version, for what
// the images have to agree on does not change with the third.
const ImageTag = "v0.1"

// Variable is what the linker sets, to an Info's Text, where it builds in no clone.
const Variable = "slipway/pkg/version.text"

var text string

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
	if text != "" {
		return parse(text)
	}
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

// Text is what parse reads, on one line and without blanks at its ends.
func (i Info) Text() string { return i.Version + " " + i.Commit + " " + i.Tree() }

func parse(text string) Info {
	version, rest, _ := strings.Cut(text, " ")
	commit, tree, _ := strings.Cut(rest, " ")
	return Info{Version: version, Commit: commit, Changed: tree == "changed"}
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
