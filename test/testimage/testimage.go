// Package testimage makes OCI images for tests.
package testimage

import (
	"bytes"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Of is a Linux image of one layer, which is given as a plain tar.
func Of(tb testing.TB, arch string, config v1.Config, layer []byte) v1.Image {
	tb.Helper()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil })
	if err != nil {
		tb.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		tb.Fatal(err)
	}
	return For(tb, img, arch, func(f *v1.ConfigFile) { f.Config = config })
}

// For is an image as one for Linux on an architecture, with what set changes of its
// configuration.
func For(tb testing.TB, img v1.Image, arch string, set func(*v1.ConfigFile)) v1.Image {
	tb.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		tb.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	if set != nil {
		set(file)
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		tb.Fatal(err)
	}
	return img
}
