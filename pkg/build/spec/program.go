package spec

import (
	"path"
	"strings"

	"slipway/pkg/build/tree"
)

// FindProgram finds a program in the image as the OCI runtime will, or says that a
// mount may hide it. A node of nil is not there.
func (c *Container) FindProgram(root *tree.Tree, program string) (n *tree.Node, hidden bool) {
	candidates := []string{path.Join(c.Spec.Process.Cwd, program)}
	switch {
	case strings.HasPrefix(program, "/"):
		candidates = []string{program}
	case IsBare(program):
		candidates = nil
		for dir := range strings.SplitSeq(SearchPath(c.Spec.Process.Env), ":") {
			if strings.HasPrefix(dir, "/") { // the runtime runs nothing of another
				candidates = append(candidates, path.Join(dir, program))
			}
		}
	}
	for _, p := range candidates {
		if c.Covers(p) {
			return nil, true
		}
		if n := root.Resolve(p); n != nil {
			return n, false
		}
	}
	return nil, false
}

// SearchPath is PATH, of several the last; "" if there is none.
func SearchPath(env []string) string {
	found := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			found = p
		}
	}
	return found
}

// IsBare tells whether a program is given by its name alone.
func IsBare(program string) bool { return program != "" && !strings.Contains(program, "/") }
