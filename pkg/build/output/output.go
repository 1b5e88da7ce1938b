// Package output writes a machine's root tree in the formats that machines
// boot from.
//
// Every format is a function that writes one or more files into a Target. The
// files get their names only when all of them are complete, so a build that
// fails, or is interrupted, leaves nothing behind.
package output

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/pkg/build/tree"
)

// Options choose between ways to write a format.
type Options struct {
	// Initrd is "payload" (a squashfs that is mounted where it lies) or "cpio"
	// (the plain archive LinuxKit's tool makes).
	Initrd string
	// Compression of the squashfs, or of a plain initrd: one of Compressions.
	// Empty is the format's own choice.
	Compression string
	// Repeats writes entries of the tar that later ones replace, as LinuxKit's
	// tool does.
	Repeats bool
	// Arch is the machine's architecture, such as amd64.
	Arch string
	// Stub is systemd's EFI stub, for formats that boot by EFI.
	Stub *tree.Inode
	// Progress is told how many bytes of the files have been read; may be nil.
	Progress func(done, total int64)
}

// format is a way to write an image.
type format struct {
	name  string
	one   bool // it is one file
	write func(context.Context, *tree.Tree, *Target, Options) error
}

var formats = append([]format{
	{"kernel+initrd", false, writeKernelInitrd},
	{"tar", true, writeTarFile},
	{"tar-kernel-initrd", true, writeTarKernelInitrd},
	{"kernel+squashfs", false, writeKernelSquashfs},
}, mediaFormats()...)

// Formats are the names that Write knows.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// CheckFormat tells whether Write knows a format.
func CheckFormat(name string) error {
	if !slices.Contains(Formats(), name) {
		return fmt.Errorf("format %q: want one of %s", name, strings.Join(Formats(), ", "))
	}
	return nil
}

// Write writes the tree in one format.
func Write(ctx context.Context, name string, t *tree.Tree, to *Target, o Options) error {
	if err := checkCompression(o.Compression); err != nil {
		return err
	}
	for _, f := range formats {
		if f.name == name {
			if err := f.write(ctx, t, to, o); err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
			return nil
		}
	}
	return CheckFormat(name)
}

// IsOneFile tells whether a format is a single file, which -o can name.
func IsOneFile(name string) bool {
	return slices.ContainsFunc(formats, func(f format) bool { return f.name == name && f.one })
}

// Compressions are those that LinuxKit's kernels and Debian's can read. A plain
// initrd has no lz4hc and no xz.
func Compressions() []string { return []string{"zstd", "lz4", "lz4hc", "gzip", "xz", "none"} }

// CheckOptions tells whether options mean something, as far as can be told without a
// machine.
func CheckOptions(initrd, compression string) error {
	if initrd != "" && initrd != "payload" && initrd != "cpio" {
		return fmt.Errorf("initrd %q: want payload or cpio", initrd)
	}
	if err := checkCompression(compression); err != nil || initrd != "cpio" || compression == "" {
		return err
	}
	_, err := compressor(io.Discard, compression)
	return err
}

func checkCompression(name string) error {
	if name != "" && !slices.Contains(Compressions(), name) {
		return fmt.Errorf("compression %q: want one of %s", name, strings.Join(Compressions(), ", "))
	}
	return nil
}
