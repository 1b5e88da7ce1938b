package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Squashfs is a kernel+squashfs build: a kernel that can mount the squashfs by
// itself, from a disk that the machine gives it.
type Squashfs struct {
	Name    string
	Kernel  string // file
	Cmdline string // text; the runner adds root=
	Root    string // file: the squashfs
}

// Write puts NAME-kernel, NAME-squashfs.img and NAME-cmdline, LinuxKit's names,
// in folder dir and returns them. None appears before all are complete.
func (s Squashfs) Write(ctx context.Context, dir string) ([]string, error) {
	outs := []struct {
		suffix string
		content
	}{
		{"-kernel", file(s.Kernel)},
		{"-squashfs.img", file(s.Root)},
		{"-cmdline", text(s.Cmdline)},
	}
	scratch, err := os.MkdirTemp(dir, "."+s.Name+"-squashfs-")
	if err != nil {
		return nil, fmt.Errorf("write kernel+squashfs: %w", err)
	}
	var names []string
	for _, o := range outs {
		names = append(names, s.Name+o.suffix)
		err = errors.Join(err, save(ctx, filepath.Join(scratch, s.Name+o.suffix), o.content))
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
		if err == nil {
			err = os.Rename(filepath.Join(scratch, name), names[i])
		}
	}
	if err = errors.Join(err, os.RemoveAll(scratch)); err != nil {
		return nil, fmt.Errorf("write kernel+squashfs %s: %w", filepath.Join(dir, s.Name), err)
	}
	return names, nil
}

func save(ctx context.Context, name string, c content) error {
	size, err := c.size()
	if err != nil {
		return err
	}
	return create(ctx, name, func(m *medium) error {
		return part{size: size, content: c}.copyTo(m, make([]byte, copyBuffer))
	})
}
