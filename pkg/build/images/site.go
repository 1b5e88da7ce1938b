package images

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"slipway/pkg/version"
)

// A site is where one image is being built: what its steps share.
type site struct {
	recipe  *Recipe
	root    string       // of the Go module whose programs are built
	images  string       // the directory of our own recipes
	version version.Info // where root is no clone
	arch    string       // amd64 or arm64: Go and Debian agree on both
	apt     *aptCache
	// say tells the user what is being done now.
	say func(format string, args ...any)

	sources []string // where content came from, for the image's label
}

// use notes that content comes from a package and returns its line for the
// inputs.
func (s *site) use(d deb) string {
	s.from(d.String())
	return fmt.Sprintf("deb %s %s %s", d, d.Arch, d.SHA256)
}

// from notes where content came from, once.
func (s *site) from(source string) {
	if !slices.Contains(s.sources, source) {
		s.sources = append(s.sources, source)
	}
}

// CacheDir is the directory for what is downloaded: $SLIPWAY_CACHE, else
// slipway/downloads in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w (set SLIPWAY_CACHE)", err)
	}
	return filepath.Join(dir, "slipway", "downloads"), nil
}
