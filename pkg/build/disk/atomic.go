package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// atomically lets write make the file tmp and then moves it to out. The directory
// of tmp is scratch space on the same file system, gone afterwards.
func atomically(out string, write func(tmp string) error) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tmp := filepath.Join(dir, filepath.Base(out))
	if err := write(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, out)
}
