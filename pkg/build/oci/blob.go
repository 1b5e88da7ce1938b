package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/input"
)

// ErrNotFound is what a source says of an image, or a blob, it does not have.
var ErrNotFound = errors.New("not found")

// missingBlob is one that a manifest names and that is not there.
type missingBlob struct{ digest, where string }

func (m *missingBlob) Error() string {
	return fmt.Sprintf("blob %s is missing in %s", m.digest, m.where)
}

// Is makes it one of the things that are not found.
func (m *missingBlob) Is(target error) bool { return target == ErrNotFound }

// maxDocument bounds manifests, indexes and configurations.
const maxDocument = 8 << 20

// Blob is stored content, open for reading at any place.
type Blob struct {
	io.ReaderAt
	Size  int64
	close func() error
}

// Close gives the file back.
func (b *Blob) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}

// Reader reads the whole blob.
func (b *Blob) Reader() *io.SectionReader { return io.NewSectionReader(b, 0, b.Size) }

// blobs is a place where blobs lie.
type blobs interface {
	open(v1.Hash) (*Blob, error)
	// unpacked keeps layers for the next build.
	unpacked() unpacked
	// drop takes a damaged blob out of a store of one's own.
	drop(v1.Hash) (bool, error)
}

// directory holds the blobs of an OCI layout in a directory.
type directory struct {
	dir string
	own bool
}

func (f directory) unpacked() unpacked {
	if !f.own {
		return unpacked{}
	}
	return unpacked{filepath.Join(f.dir, unpackedDirectory)}
}

func (f directory) drop(h v1.Hash) (bool, error) {
	if !f.own {
		return false, nil
	}
	return true, os.Remove(f.path(h))
}

func (f directory) path(h v1.Hash) string {
	return filepath.Join(f.dir, "blobs", h.Algorithm, h.Hex)
}

func (f directory) open(h v1.Hash) (*Blob, error) {
	if err := checkHash(h); err != nil {
		return nil, err
	}
	path := f.path(h)
	file, err := input.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &missingBlob{h.String(), f.dir}
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Blob{ReaderAt: file, Size: info.Size(), close: file.Close}, nil
}

// checkHash keeps a digest from a document from being used as a path.
func checkHash(h v1.Hash) error {
	if h.Algorithm != "sha256" || len(h.Hex) != 64 {
		return fmt.Errorf("digest %q: only sha256 is known", h)
	}
	if strings.Trim(h.Hex, "0123456789abcdef") != "" {
		return fmt.Errorf("digest %q: not hexadecimal", h)
	}
	return nil
}

// document reads a manifest, index or configuration and checks its digest.
func document(from blobs, h v1.Hash) ([]byte, error) {
	b, err := from.open(h)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(b)
	if err = errors.Join(err, b.Close()); err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	if got := hashOf(data); got != h {
		return nil, damaged(from, h, fmt.Errorf("blob %s: %w: its content has %s", h, errDigest, got))
	}
	return data, nil
}

// damaged adds to an error what became of the blob.
func damaged(from blobs, h v1.Hash, err error) error {
	if !errors.Is(err, errDigest) {
		return err
	}
	dropped, dropErr := from.drop(h)
	if dropped && dropErr == nil {
		return fmt.Errorf("%w; it is out of the store now, the next build fetches it again", err)
	}
	return errors.Join(err, dropErr)
}

func readDocument(b *Blob) ([]byte, error) {
	if b.Size > maxDocument {
		return nil, fmt.Errorf("%d bytes, more than the %d allowed", b.Size, int64(maxDocument))
	}
	return io.ReadAll(b.Reader())
}
