package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/pkg/build/disk"
	"slipway/pkg/build/tree"
)

// mediaFormats are what package disk makes of a kernel+initrd build.
func mediaFormats() []format {
	var list []format
	for _, f := range disk.Formats {
		list = append(list, format{f.Name, true, func(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
			return writeMedium(ctx, t, to, o, f)
		}})
	}
	return list
}

// NeedsStub tells whether a format boots by EFI and so needs Options.Stub.
func NeedsStub(name string) bool {
	_, ok := disk.Find(name)
	return ok
}

func writeMedium(ctx context.Context, t *tree.Tree, to *Target, o Options, f disk.Format) error {
	return inScratch(to, func(dir string) error {
		parts := &Target{Dir: dir, Name: filepath.Base(to.Name)}
		if err := writeKernelInitrd(ctx, t, parts, o); err != nil {
			return err
		}
		if err := parts.WriteFile("-stub", func(w *os.File) error { return copyStub(w, o.Stub) }); err != nil {
			return err
		}
		if _, err := parts.Commit(); err != nil {
			return err
		}
		cmdline, err := os.ReadFile(filepath.Join(dir, parts.Name+"-cmdline"))
		if err != nil {
			return err
		}
		made, err := f.Write(ctx, dir, disk.Boot{
			Name: parts.Name, Arch: o.Arch, Cmdline: string(cmdline),
			Kernel: filepath.Join(dir, parts.Name+"-kernel"),
			Initrd: filepath.Join(dir, parts.Name+"-initrd.img"),
			Stub:   filepath.Join(dir, parts.Name+"-stub"),
		})
		if err != nil {
			return err
		}
		return to.take(made, f.Suffix)
	})
}

func copyStub(w io.Writer, stub *tree.Inode) error {
	if stub == nil {
		return errors.New("no EFI stub given")
	}
	_, err := io.Copy(w, stub.Open())
	return err
}

// inScratch lets make work in a directory beside the output that goes afterwards.
func inScratch(to *Target, make func(dir string) error) error {
	beside, err := to.directory()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(beside, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(beside, "."+filepath.Base(to.Name)+"-")
	if err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	return errors.Join(make(dir), os.RemoveAll(dir))
}

// take moves a finished file into the target.
func (t *Target) take(file, suffix string) error {
	place, err := t.Create(suffix)
	if err != nil {
		return err
	}
	if err := place.Close(); err != nil {
		return err
	}
	return os.Rename(file, place.Name())
}
