package disk

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/pkg/build/tree"
)

// layoutTar writes a tar of an OCI image layout. Names have no leading "./":
// `linuxkit cache import` passes over members that have one.
type layoutTar struct{ *tar.Writer }

// writeLayout writes an image as a tar that skopeo, podman, docker and crane
// take.
func writeLayout(w io.Writer, img v1.Image, name string) error {
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: img,
		Descriptor: v1.Descriptor{Annotations: map[string]string{
			"org.opencontainers.image.ref.name": name,
			"io.containerd.image.name":          name,
		}},
	})
	list, err := index.RawManifest()
	if err != nil {
		return fmt.Errorf("make index.json: %w", err)
	}
	t := layoutTar{tar.NewWriter(w)}
	if err := t.add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := t.add("index.json", list); err != nil {
		return err
	}
	if err := t.addImage(img); err != nil {
		return err
	}
	return t.Close()
}

func (t layoutTar) addImage(img v1.Image) error {
	documents := []struct {
		digest func() (v1.Hash, error)
		data   func() ([]byte, error)
	}{
		{img.Digest, img.RawManifest},
		{img.ConfigName, img.RawConfigFile},
	}
	for _, d := range documents {
		digest, err := d.digest()
		if err != nil {
			return err
		}
		data, err := d.data()
		if err != nil {
			return err
		}
		if err := t.add(blobName(digest), data); err != nil {
			return err
		}
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := t.addLayer(l); err != nil {
			return fmt.Errorf("write layer: %w", err)
		}
	}
	return nil
}

func (t layoutTar) addLayer(l v1.Layer) error {
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	size, err := l.Size()
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	return t.copy(blobName(digest), size, r)
}

func (t layoutTar) add(name string, data []byte) error {
	return t.copy(name, int64(len(data)), bytes.NewReader(data))
}

func (t layoutTar) copy(name string, size int64, r io.Reader) error {
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: tree.Epoch, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(t, r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func blobName(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
