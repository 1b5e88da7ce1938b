package output

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/pkg/build/tree"
)

// writeTarKernelInitrd writes kernel, initrd and command line as one tar, for
// tools that carry them on.
func writeTarKernelInitrd(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
	return inScratch(to, func(dir string) error {
		parts := &Target{Dir: dir, Name: "m"}
		if err := writeKernelInitrd(ctx, t, parts, o); err != nil {
			return err
		}
		if _, err := parts.Commit(); err != nil {
			return err
		}
		return to.WriteFile("-initrd.tar", func(f *os.File) error {
			w := tar.NewWriter(contextWriter{ctx, f})
			for _, m := range [][2]string{{"kernel", "m-kernel"}, {"initrd.img", "m-initrd.img"}, {"cmdline", "m-cmdline"}} {
				if err := addFile(w, m[0], filepath.Join(dir, m[1])); err != nil {
					return fmt.Errorf("%s: %w", m[0], err)
				}
			}
			return w.Close()
		})
	})
}

func addFile(w *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size(), ModTime: tree.Epoch}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
