package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// Annotations of an image's entry in the index of the store.
const (
	// annotationName is the full name, where LinuxKit's cache looks for it.
	annotationName = "io.containerd.image.name"
	// annotationInputs is the sum of what the image was built from.
	annotationInputs = "slipway.images.inputs"
)

// A store is the local OCI image layout.
type store struct{ dir string }

// StoreDir is the local store: $SLIPWAY_STORE, else slipway/store in the user's
// cache folder.
func StoreDir() (string, error) {
	if dir := os.Getenv("SLIPWAY_STORE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find image store: %w (set SLIPWAY_STORE)", err)
	}
	return filepath.Join(dir, "slipway", "store"), nil
}

// entry returns the index entry of an image, or nil.
func (s store) entry(name string, p v1.Platform) (*v1.Descriptor, error) {
	index, err := layout.ImageIndexFromPath(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image store %s: %w", s.dir, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read image store %s: %w", s.dir, err)
	}
	for _, d := range m.Manifests {
		if isImage(name, p)(d) {
			return &d, nil
		}
	}
	return nil, nil
}

func isImage(name string, p v1.Platform) match.Matcher {
	return func(d v1.Descriptor) bool {
		return d.Annotations[annotationName] == name && d.Platform != nil && d.Platform.Satisfies(p)
	}
}

// image reads an image that entry found.
func (s store) image(d *v1.Descriptor) (v1.Image, error) {
	return layout.Path(s.dir).Image(d.Digest)
}

// put writes an image and then, in one step, its entry in the index.
func (s store) put(name, inputs string, p v1.Platform, img v1.Image) error {
	unlock, err := s.lock()
	if err != nil {
		return fmt.Errorf("lock image store %s: %w", s.dir, err)
	}
	defer unlock()
	path := layout.Path(s.dir)
	if !exists(filepath.Join(s.dir, "index.json")) {
		if path, err = layout.Write(s.dir, empty.Index); err != nil {
			return fmt.Errorf("make image store %s: %w", s.dir, err)
		}
	}
	err = path.ReplaceImage(img, isImage(name, p),
		layout.WithPlatform(p),
		layout.WithAnnotations(map[string]string{annotationName: name, annotationInputs: inputs}))
	if err != nil {
		return fmt.Errorf("write image %s: %w", name, err)
	}
	return nil
}

// lock keeps other processes from changing the store.
func (s store) lock() (unlock func() error, err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
