package disk

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/tree"
)

// KubeVirt takes the only file of /disk, and reads it as its QEMU's user.
const (
	kubevirtDirectory = "disk/"
	kubevirtUser      = 107
)

// diskLayer is a layer that holds one file. It is not compressed: what takes
// the room on the disk, kernel and squashfs, is so already. (The layers of
// go-containerregistry's tarball package are compressed always, and twice.)
type diskLayer struct {
	disk   string
	size   int64
	digest v1.Hash
}

var _ v1.Layer = (*diskLayer)(nil)

func newDiskLayer(disk string) (*diskLayer, error) {
	l := &diskLayer{disk: disk}
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	hash := sha256.New()
	if l.size, err = io.Copy(hash, r); err != nil {
		return nil, err
	}
	l.digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}
	return l, nil
}

func (l *diskLayer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *diskLayer) DiffID() (v1.Hash, error)            { return l.digest, nil }
func (l *diskLayer) Size() (int64, error)                { return l.size, nil }
func (l *diskLayer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
func (l *diskLayer) Compressed() (io.ReadCloser, error)  { return l.Uncompressed() }

// Uncompressed is the tar, made while it is read.
func (l *diskLayer) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.disk)
	if err != nil {
		return nil, err
	}
	head, tail, err := diskTar(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(head, f, tail), f}, nil
}

// diskTar returns what a tar has before and after the content of the disk.
func diskTar(f *os.File) (head, tail *bytes.Reader, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	entry := tar.Header{Uid: kubevirtUser, Gid: kubevirtUser, ModTime: tree.Epoch, Format: tar.FormatPAX}
	directory, content := entry, entry
	directory.Typeflag, directory.Name, directory.Mode = tar.TypeDir, kubevirtDirectory, 0o555
	content.Typeflag, content.Name, content.Mode = tar.TypeReg, kubevirtDirectory+filepath.Base(f.Name()), 0o440
	content.Size = info.Size()
	for _, h := range []*tar.Header{&directory, &content} {
		if err := w.WriteHeader(h); err != nil {
			return nil, nil, err
		}
	}
	const block, trailer = 512, 2 * 512
	padding := alignUp(info.Size(), block) - info.Size()
	return bytes.NewReader(b.Bytes()), bytes.NewReader(make([]byte, padding+trailer)), nil
}
