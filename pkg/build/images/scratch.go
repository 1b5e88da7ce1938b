package images

import (
	"errors"
	"os"
)

// inScratch runs do with a temporary directory and removes the directory afterwards,
// however do ended. With no parent it is made where the system has its
// temporary files.
func inScratch(parent string, do func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, ".slipway-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(dir)
}
