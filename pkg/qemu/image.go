package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Boot is what the machine starts from: a kernel with an initrd or a squashfs,
// an ISO, or a disk. Exactly one of Kernel, ISO and Disk is set.
type Boot struct {
	Kernel   string
	Initrd   string
	Squashfs string
	Cmdline  string // text, not a file
	ISO      string
	Disk     string
}

// Kind says what sort of image a name stands for.
type Kind string

// The kinds; AnyKind is found out by looking.
const (
	AnyKind        Kind = ""
	KernelInitrd   Kind = "kernel+initrd"
	KernelSquashfs Kind = "kernel+squashfs"
	ISO            Kind = "iso"
	DiskImage      Kind = "disk"
)

// Resolve finds the files of the image called name, by LinuxKit's rules: a file
// is an ISO or a disk; otherwise NAME-kernel stands beside NAME-squashfs.img or
// NAME-initrd.img, and NAME-cmdline.
func Resolve(name string, kind Kind) (Boot, error) {
	if kind == AnyKind {
		kind = look(name)
	}
	switch {
	case kind == ISO && isFile(name):
		return Boot{ISO: name}, nil
	case kind == DiskImage && isFile(name):
		return Boot{Disk: name}, nil
	case kind == ISO, !isFile(name + "-kernel"):
		return Boot{}, notFound(name)
	}
	cmdline, err := os.ReadFile(name + "-cmdline")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Boot{}, fmt.Errorf("read kernel command line: %w", err)
	}
	b := Boot{Kernel: name + "-kernel", Cmdline: strings.TrimSpace(string(cmdline))}
	root, file := &b.Initrd, name+"-initrd.img"
	if kind == KernelSquashfs {
		root, file = &b.Squashfs, name+"-squashfs.img"
	}
	if !isFile(file) {
		return Boot{}, fmt.Errorf("image %s: %s is there, but %s is not", name, b.Kernel, file)
	}
	*root = file
	return b, nil
}

func look(name string) Kind {
	switch {
	case isFile(name) && strings.HasSuffix(name, ".iso"):
		return ISO
	case isFile(name):
		return DiskImage
	case isFile(name + "-squashfs.img"):
		return KernelSquashfs
	}
	return KernelInitrd
}

// notFound says what was looked for, and what of that name is there after all.
func notFound(name string) error {
	msg := fmt.Sprintf("image %s: found neither a disk or ISO of that name nor %s-kernel", name, name)
	near, err := filepath.Glob(name + "*")
	if err != nil || len(near) == 0 {
		return errors.New(msg + "; `slipway build` makes one")
	}
	return fmt.Errorf("%s; there is %s", msg, strings.Join(near, ", "))
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}
