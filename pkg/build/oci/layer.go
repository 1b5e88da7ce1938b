package oci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/tree"
)

// maxLayers is four times what container engines can mount.
const maxLayers = 512

// Tree lays the image's layers over each other. The content of its files is
// read from the layers, so the image must stay open as long as the tree is
// used.
func (i *Image) Tree(ctx context.Context, limits tree.Limits) (*tree.Tree, error) {
	t := tree.New()
	t.Scratch = i.Scratch
	if n := len(i.Manifest.Layers); n > maxLayers {
		return nil, fmt.Errorf("image %s: %d layers, more than the %d allowed", i.Name, n, maxLayers)
	}
	for n, d := range i.Manifest.Layers {
		origin := &tree.Origin{Image: i.Name, Layer: fmt.Sprintf("layer %d (%.19s)", n+1, d.Digest)}
		layer, err := i.layer(ctx, d, i.Config.RootFS.DiffIDs[n], limits)
		if err == nil {
			limits.Bytes -= layer.Size()
			err = t.AddLayer(layer, origin, limits)
		}
		if err != nil {
			return nil, fmt.Errorf("image %s: %s: %w", i.Name, origin.Layer, damaged(i.blobs, d.Digest, err))
		}
	}
	return t, nil
}

// layer opens a layer as an uncompressed tar. One that is stored compressed is
// unpacked to a file without a name, which goes when the image is closed.
func (i *Image) layer(ctx context.Context, d v1.Descriptor, diff v1.Hash, limits tree.Limits) (*io.SectionReader, error) {
	blob, err := i.blobs.open(d.Digest)
	if err != nil {
		return nil, err
	}
	i.open = append(i.open, blob)
	if d.Size > 0 && d.Size != blob.Size {
		return nil, fmt.Errorf("%d bytes stored, the manifest says %d", blob.Size, d.Size)
	}
	decompress, err := compression(blob, blob.Size)
	if err != nil {
		err = fmt.Errorf("%w (its media type is %q)", err, d.MediaType)
		return nil, blamed(ctx, blob, d.Digest, diff, err)
	}
	if decompress == nil {
		return i.plain(ctx, blob, d.Digest, diff, limits)
	}
	if layer, err := i.keptLayer(ctx, diff, limits); layer != nil || err != nil {
		return layer, err
	}
	layer, err := i.unpack(contextReader{ctx, blob.Reader()}, decompress, diff, limits)
	if err != nil {
		return nil, blamed(ctx, blob, d.Digest, diff, err)
	}
	return layer, nil
}

// blamed is why a layer cannot be unpacked. What is stored may be damaged, or an error page: that is
// told first. A tar of docker save knows its layers by their unpacked digest alone.
func blamed(ctx context.Context, blob *Blob, digest, diff v1.Hash, err error) error {
	if digest == diff {
		return err
	}
	if wrong := verify(contextReader{ctx, blob.Reader()}, digest); wrong != nil {
		return wrong
	}
	return err
}

// plain checks a layer that is stored as it is.
func (i *Image) plain(ctx context.Context, blob *Blob, digest, diff v1.Hash, limits tree.Limits) (*io.SectionReader, error) {
	if blob.Size > limits.Bytes {
		return nil, tooLarge(limits)
	}
	if err := verify(contextReader{ctx, blob.Reader()}, digest); err != nil {
		return nil, err
	}
	if digest != diff {
		return nil, fmt.Errorf("unpacked it has the digest %s, the configuration says %s", digest, diff)
	}
	return blob.Reader(), nil
}

// keptLayer is the layer as an earlier build has unpacked it, nil if there is
// none. Its digest is that of the configuration, so the stored copy need not be read.
func (i *Image) keptLayer(ctx context.Context, diff v1.Hash, limits tree.Limits) (*io.SectionReader, error) {
	file := i.blobs.unpacked().open(ctx, diff)
	if file == nil {
		return nil, nil
	}
	i.open = append(i.open, file)
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limits.Bytes {
		return nil, tooLarge(limits)
	}
	return io.NewSectionReader(file, 0, info.Size()), nil
}

// unpack writes a layer as it is unpacked to a file. The digest of the content is the configuration's, so
// that what is stored needs none of its own.
func (i *Image) unpack(blob io.Reader, decompress unpacker, diff v1.Hash, limits tree.Limits) (*io.SectionReader, error) {
	file, kept := i.blobs.unpacked().create(), true
	if file == nil {
		var err error
		if file, err = scratch(); err != nil {
			return nil, err
		}
		kept = false
	}
	i.open = append(i.open, file)
	plain := sha256.New()
	out := newHandover(io.MultiWriter(file, plain))
	n, err := expand(out, blob, decompress, limits)
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("sha256:%x", plain.Sum(nil)); got != diff.String() {
		return nil, fmt.Errorf("unpacked it has the digest %s, the configuration says %s", got, diff)
	}
	if kept {
		i.blobs.unpacked().keep(file, diff)
	}
	return io.NewSectionReader(file, 0, n), nil
}

// expand unpacks to w, up to a limit.
func expand(w io.Writer, in io.Reader, decompress unpacker, limits tree.Limits) (int64, error) {
	r, err := decompress(in)
	if err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	n, err := io.Copy(w, io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return n, fmt.Errorf("unpack: %w", err)
	}
	if n > limits.Bytes {
		return n, tooLarge(limits)
	}
	return n, nil
}

func tooLarge(limits tree.Limits) error {
	return fmt.Errorf("unpacks to more than the %d MB that are left for the image", limits.Bytes>>20)
}

// Scratch makes a file for contents of the image that do not lie in it as they
// are. It goes when the image is closed.
func (i *Image) Scratch() (*os.File, error) {
	file, err := scratch()
	if err == nil {
		i.open = append(i.open, file)
	}
	return file, err
}

// scratch is a file that has no name and so cannot be left behind. It may be
// large, and /tmp may be memory: so /var/tmp, unless TMPDIR says otherwise.
func scratch() (*os.File, error) {
	dir := os.Getenv("TMPDIR")
	if info, err := os.Stat("/var/tmp"); dir == "" && err == nil && info.IsDir() {
		dir = "/var/tmp"
	}
	file, err := os.CreateTemp(dir, "slipway-layer-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// contextReader stops a long read when the build is interrupted.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func verify(r io.Reader, want v1.Hash) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != want.String() {
		return fmt.Errorf("%w: its content has %s", errDigest, got)
	}
	return nil
}
