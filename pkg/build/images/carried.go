package images

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Unpack writes what the tool carries of its repository to a directory, to build from, but
// for images that only tests take, whose programs it does not carry.
func Unpack(carried fs.FS, dir string) error {
	err := fs.WalkDir(carried, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(name, "images/test"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		}
		data, err := fs.ReadFile(carried, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), data, permissionsOf(data))
	})
	if err != nil {
		return fmt.Errorf("unpack the recipes that slipway carries: %w", err)
	}
	return nil
}

// permissionsOf a file that was carried; go:embed keeps none.
func permissionsOf(data []byte) fs.FileMode {
	if bytes.HasPrefix(data, []byte("#!")) {
		return 0o755
	}
	return 0o644
}
