package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
)

// Export writes images of the store, all that it has of our recipes or those
// named, as a tar of an OCI image layout. The file appears when it is whole; "-" is
// standard output.
func (b *Builder) Export(ctx context.Context, file string, names []string) error {
	index, err := b.exportIndex(names)
	if err != nil {
		return err
	}
	b.Progress.Note("writing " + file)
	to := &output.Target{File: file, Stdout: os.Stdout}
	err = to.WriteFile("", func(w *os.File) error {
		return inScratch(filepath.Dir(w.Name()), func(dir string) error {
			if _, err := layout.Write(dir, index); err != nil {
				return err
			}
			return tarLayout(ctx, w, dir)
		})
	})
	if err == nil {
		_, err = to.Commit()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export images to %s: %w", file, err), to.Discard())
	}
	return nil
}

// exportIndex is an index with the images and their names, and nothing that is
// only meant for our store.
func (b *Builder) exportIndex(names []string) (v1.ImageIndex, error) {
	all := len(names) == 0
	if all {
		names = slices.DeleteFunc(b.names(), func(name string) bool { return !isOwn(name) })
	}
	index := v1.ImageIndex(empty.Index)
	count := 0
	for _, name := range names {
		d, err := b.store.entry(shortName(name))
		if err != nil {
			return nil, err
		}
		if d == nil && all {
			continue
		}
		if d == nil {
			return nil, fmt.Errorf("export images: %s is not in the store: run `slipway images build %s`", name, shortName(name))
		}
		img, err := b.store.image(d)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Annotations: map[string]string{oci.NameAnnotation: d.Name},
			Platform:    d.Platform,
		}})
		count++
	}
	if count == 0 {
		return nil, errors.New("export images: the store holds none: run `slipway images build`")
	}
	return index, nil
}

// tarLayout packs a layout in the order in which readers want it. Members have
// no leading "./", with which `linuxkit cache import` drops them silently.
func tarLayout(ctx context.Context, w io.Writer, dir string) error {
	tw := tar.NewWriter(w)
	for _, name := range []string{"oci-layout", "index.json"} {
		if err := tarFile(tw, dir, name); err != nil {
			return err
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		return tarFile(tw, dir, name)
	})
	return errors.Join(err, tw.Close())
}

func tarFile(tw *tar.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size(), ModTime: epoch}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.Copy(tw, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
