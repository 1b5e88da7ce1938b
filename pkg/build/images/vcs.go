package images

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// vcsInputs are what the compiler notes of the clone in dir: commit, tags, and
// whether anything differs. None is where it would find no clone: it looks for a
// directory .git, which a tar of the sources and a linked worktree have not.
func vcsInputs(ctx context.Context, dir string) []string {
	if info, err := os.Stat(filepath.Join(dir, ".git")); err != nil || !info.IsDir() {
		return nil
	}
	var lines []string
	for _, args := range [][]string{{"rev-parse", "HEAD"}, {"tag", "--merged", "HEAD"}, {"status", "--porcelain"}} {
		out, err := command{dir: dir, args: append([]string{"git"}, args...)}.output(ctx)
		if err != nil {
			return nil // no git, or a clone of somebody else's, which git refuses to read
		}
		text := strings.TrimSpace(string(out))
		if args[0] == "status" && text != "" {
			text = "changed"
		}
		lines = append(lines, "git "+args[0]+" "+text)
	}
	return lines
}
