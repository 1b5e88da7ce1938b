package main

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"slipway/pkg/build/oci"
)

// The big image: files of a size that programs and libraries have, of which
// half can be compressed away.
const (
	bigFiles = 2048
	bigFile  = 512 << 10
)

// makeBig puts the image into the store, and returns the YAML that names it.
func (b *bench) makeBig() (yml string, err error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() { w.CloseWithError(writeBig(w)) }()
		return r, nil
	})
	if err != nil {
		return "", err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return "", err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return "", err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", v1.Config{Cmd: []string{"/none"}}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		return "", err
	}
	if err := oci.OpenStore().Put("bench/big:1", img, nil); err != nil {
		return "", err
	}
	yml = filepath.Join(b.dir, "big.yml")
	text := "kernel: {image: 'slipway/kernel:v0.1', cmdline: console=ttyS0}\ninit: ['slipway/init:v0.1', 'slipway/runc:v0.1']\n" +
		"services: [{name: big, image: 'bench/big:1'}]\n"
	return yml, os.WriteFile(yml, []byte(text), 0o644)
}

func writeBig(w io.Writer) error {
	random := rand.NewChaCha8([32]byte{1})
	t := tar.NewWriter(w)
	data := make([]byte, bigFile)
	for i := range bigFiles {
		for page := 0; page < bigFile; page += 4096 {
			if _, err := random.Read(data[page : page+2048]); err != nil {
				return err
			}
		}
		h := &tar.Header{Name: fmt.Sprintf("usr/lib/%d/library-%d.so", i/64, i), Typeflag: tar.TypeReg, Mode: 0o755, Size: bigFile}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return t.Close()
}
