package disk

import (
	"context"
	"fmt"
	"path/filepath"
)

// A Format is one kind of medium.
type Format struct {
	Name   string // as --format takes it
	Suffix string // of the file, after the image's name; LinuxKit's where it has the format
	make   func(ctx context.Context, out string, b Boot) error
}

// Formats are all media that Write makes.
var Formats = []Format{
	{"raw-efi", "-efi.img", makeRaw},
	{"iso-efi", "-efi.iso", makeISO},
	{"qcow2-efi", "-efi.qcow2", makeQCOW2},
	{"qcow2", "-efi.qcow2", makeQCOW2},
	{"containerdisk", "-containerdisk.tar", makeContainerDisk},
}

// Find returns the format of that name.
func Find(name string) (Format, bool) {
	for _, f := range Formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// Write makes the medium in directory dir, in place of one of that name, and
// returns the file. When ctx ends or something fails the directory is as before.
func (f Format) Write(ctx context.Context, dir string, b Boot) (string, error) {
	out := filepath.Join(dir, b.Name+f.Suffix)
	if err := b.check(); err != nil {
		return "", fmt.Errorf("write %s %s: %w", f.Name, out, err)
	}
	err := atomically(out, func(tmp string) error { return f.make(ctx, tmp, b) })
	if err != nil {
		return "", fmt.Errorf("write %s %s: %w", f.Name, out, err)
	}
	return out, nil
}
