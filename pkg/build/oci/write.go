package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

const layoutFile = "{\n    \"imageLayoutVersion\": \"1.0.0\"\n}"

// writeImage writes the blobs of an image, the manifest last, so that a
// manifest never names a blob that is not there.
func (l *Layout) writeImage(img v1.Image) (*v1.Descriptor, error) {
	if l.dir == "" {
		return nil, ErrNoStore
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		if err := l.writeLayer(layer); err != nil {
			return nil, err
		}
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	for _, doc := range [][]byte{config, manifest} {
		if err := l.writeDocument(doc); err != nil {
			return nil, err
		}
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return nil, err
	}
	d := &v1.Descriptor{MediaType: mediaType, Size: int64(len(manifest)), Digest: hashOf(manifest)}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	if file.Architecture != "" {
		d.Platform = &v1.Platform{OS: file.OS, Architecture: file.Architecture, Variant: file.Variant}
	}
	return d, nil
}

func (l *Layout) writeLayer(layer v1.Layer) error {
	h, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	if l.holds(h, size) {
		return nil
	}
	rc, err := layer.Compressed()
	if err != nil {
		return err
	}
	err = l.writeBlob(h, rc)
	return errors.Join(err, rc.Close())
}

func (l *Layout) writeDocument(data []byte) error {
	h := hashOf(data)
	if l.holds(h, int64(len(data))) {
		return nil
	}
	return l.replaceFile(l.path(h), data)
}

// holds tells whether a blob is there, whole. A size below 1 is not known.
func (l *Layout) holds(h v1.Hash, size int64) bool {
	info, err := os.Stat(l.path(h))
	return err == nil && (size < 1 || info.Size() == size)
}

// writeBlob copies content to a temporary file, checks its digest and gives it
// its name.
func (l *Layout) writeBlob(h v1.Hash, r io.Reader) (err error) {
	if err := checkHash(h); err != nil {
		return err
	}
	tmp, err := l.temp(filepath.Dir(l.path(h)))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	sum := sha256.New()
	if _, err := io.Copy(tmp, io.TeeReader(r, sum)); err != nil {
		return fmt.Errorf("write blob %s: %w", h, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != h.Hex {
		return fmt.Errorf("write blob %s: its content has the digest sha256:%s", h, got)
	}
	return commit(tmp, l.path(h))
}

func (l *Layout) temp(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, ".tmp-")
}

// commit makes a finished temporary file appear under its name, whole even if
// the power fails right after.
func commit(tmp *os.File, name string) error {
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync()); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

func (l *Layout) replaceFile(name string, data []byte) error {
	tmp, err := l.temp(filepath.Dir(name))
	if err != nil {
		return err
	}
	if _, err = tmp.Write(data); err == nil {
		err = commit(tmp, name)
	}
	if err != nil {
		return errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
	}
	return nil
}

// Leftovers of builds that were killed go after these times.
const (
	oldTemp    = 24 * time.Hour
	oldPartial = 30 * 24 * time.Hour
)

// sweep removes leftovers.
func (l *Layout) sweep() {
	for pattern, age := range map[string]time.Duration{
		".tmp-*": oldTemp, "blobs/sha256/.tmp-*": oldTemp, "partial/*": oldPartial,
	} {
		names, _ := filepath.Glob(filepath.Join(l.dir, pattern)) // of a pattern alone it complains
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > age {
				_ = os.Remove(name) // the next build tries again
			}
		}
	}
}

// update changes index.json while holding the layout's lock.
func (l *Layout) update(change func(*v1.IndexManifest)) (err error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(l.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", l.dir, err)
	}
	index, err := l.index()
	if err != nil {
		return err
	}
	change(index)
	l.sweep()
	data, err := json.MarshalIndent(index, "", "   ")
	if err != nil {
		return err
	}
	if err := l.replaceFile(filepath.Join(l.dir, "oci-layout"), []byte(layoutFile)); err != nil {
		return err
	}
	return l.replaceFile(filepath.Join(l.dir, "index.json"), data)
}
